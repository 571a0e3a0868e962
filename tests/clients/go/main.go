// Clients in Go, each by its name: sdk, minio, terraform. Built and run by tests/clients/run.
package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
)

// must ends the run with the error of a call that has to succeed.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// got is the value of a call that has to succeed.
func got[T any](value T, err error) T {
	must(err)
	return value
}

// same ends the run when a value is not what it has to be.
func same[T comparable](what string, seen, wanted T) {
	if seen != wanted {
		panic(fmt.Sprintf("%s: %v where %v was expected", what, seen, wanted))
	}
}

func sameBytes(what string, seen, wanted []byte) {
	if !bytes.Equal(seen, wanted) {
		panic(fmt.Sprintf("%s: %d bytes came back changed, of %d", what, len(seen), len(wanted)))
	}
}

// text holds the canary, which must not reach the backend.
func text() []byte {
	return bytes.Repeat([]byte(os.Getenv("CANARY")+" line\n"), 4000)
}

func random(size int) []byte {
	content := make([]byte, size)
	got(rand.Read(content))
	return content
}

func main() {
	clients := map[string]func(){"sdk": sdk, "minio": minioGo, "terraform": terraform}
	clients[os.Args[1]]()
}
