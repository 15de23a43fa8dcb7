module models

go 1.25.0

require (
	github.com/pulumi/pulumi-kubernetes/sdk/v4 v4.32.0
	github.com/pulumi/pulumi/sdk/v3 v3.274.1
	github.com/trussform/trussform/sdk/go v0.0.0-00010101000000-000000000000
)

replace github.com/trussform/trussform/sdk/go => ./sdks/trussform-trussform
