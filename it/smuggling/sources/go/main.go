// Answers every request with what it has read of it: peer PORT
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

func answer(w http.ResponseWriter, r *http.Request) {
	length, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("X-Seen", r.Method+" "+r.RequestURI)
	w.Header().Set("X-Length", fmt.Sprint(length))
	fmt.Fprintln(w, "ok")
}

func main() {
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(answer)))
}
