// SPDX-License-Identifier: Apache-2.0

// serve: GET /N gives N times "x", POST gives the body back.
// get URL: the hash of what is there.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
)

func handle(w http.ResponseWriter, r *http.Request) {
	if r.Method == "POST" {
		io.Copy(w, r.Body)
		return
	}
	n, _ := strconv.Atoi(r.URL.Path[1:])
	w.Write(bytes.Repeat([]byte("x"), n))
}

func main() {
	if os.Args[1] == "serve" {
		l, err := net.Listen("tcp", ":8000")
		if err != nil {
			panic(err)
		}
		fmt.Println("listening")
		panic(http.Serve(l, http.HandlerFunc(handle)))
	}
	r, err := http.Get(os.Args[2])
	if err != nil {
		panic(err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, r.Body); err != nil {
		panic(err)
	}
	fmt.Printf("%x\n", h.Sum(nil))
}
