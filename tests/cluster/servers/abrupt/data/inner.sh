python3 /app/data/server.py
echo "the server has ended"
