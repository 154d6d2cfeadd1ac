// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

// Go's own HTTP server under test.
package main

import (
	"io"
	"net/http"
	"os"
)

const largePath = "/tmp/large"

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		if code != 204 && code != 304 {
			io.WriteString(w, "hello")
		}
	}
}

func chunks(w http.ResponseWriter, r *http.Request) {
	for i := 0; i < 20; i++ {
		io.WriteString(w, "chunk\n")
		w.(http.Flusher).Flush()
	}
}

func take(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	if r.Method == "PUT" {
		w.WriteHeader(201)
	}
	io.WriteString(w, "taken")
}

// By sendfile, as it is a file.
func large(w http.ResponseWriter, r *http.Request) {
	http.ServeFile(w, r, largePath)
}

func main() {
	os.MkdirAll("/tmp", 0o777)
	if err := os.WriteFile(largePath, make([]byte, 3000000), 0o666); err != nil {
		panic(err)
	}
	http.HandleFunc("/hello", status(200))
	http.HandleFunc("/empty", status(204))
	http.HandleFunc("/same", status(304))
	http.HandleFunc("/broken", status(500))
	http.HandleFunc("/chunks", chunks)
	http.HandleFunc("/take", take)
	http.HandleFunc("/large", large)
	panic(http.ListenAndServe(":8080", nil))
}
