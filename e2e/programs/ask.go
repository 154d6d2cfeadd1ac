// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

// Go's net/http client under test; see ask-curl.sh.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

var client = &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 10 * time.Second}}

func ask(server, method, path, body, header, value string) {
	request, err := http.NewRequest(method, server+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	if body == "" {
		request.Body = nil
	}
	if header != "" {
		request.Header.Set(header, value)
	}
	response, err := client.Do(request)
	if err != nil {
		panic(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	fmt.Println(server, method, response.StatusCode)
}

func main() {
	for _, server := range os.Args[1:] {
		ask(server, "GET", "/hello", "", "", "")
		ask(server, "GET", "/hello", "", "", "")
		ask(server, "GET", "/chunks", "", "Accept-Encoding", "gzip")
		ask(server, "GET", "/large", "", "", "")
		ask(server, "HEAD", "/hello", "", "", "")
		ask(server, "POST", "/take", strings.Repeat("7", 100000), "", "")
		ask(server, "PUT", "/take", "some", "Expect", "100-continue")
		for _, path := range []string{"/empty", "/same", "/missing", "/broken"} {
			ask(server, "GET", path, "", "", "")
		}
		ask(server, "GET", "/hello", "", "Connection", "close")
	}
}
