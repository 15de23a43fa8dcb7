HERE = "packages"
