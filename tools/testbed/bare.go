// A server that is all that its image has: no shell, no cp, no sleep.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	server := &http.Server{Addr: ":9000", Handler: http.HandlerFunc(answer)}
	told := make(chan os.Signal, 1)
	ended := make(chan struct{})
	signal.Notify(told, syscall.SIGTERM)
	go func() {
		<-told
		server.Shutdown(context.Background()) // Waits for the requests under way.
		close(ended)
	}()
	server.ListenAndServe()
	<-ended
}

// One piece for each of the `seconds` asked for, then the server's user.
func answer(to http.ResponseWriter, request *http.Request) {
	seconds, _ := strconv.Atoi(request.URL.Query().Get("seconds"))
	for range seconds {
		fmt.Fprint(to, "piece ")
		to.(http.Flusher).Flush()
		time.Sleep(time.Second)
	}
	fmt.Fprintf(to, "finished by %d", os.Getuid())
}
