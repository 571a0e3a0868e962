// Refused PUTs by Go's net/http, and a GET after each. Arguments: the PUT's address, the GET's, how many, by how many
// workers, and the sizes of the bodies.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
)

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}

func work(client *http.Client, worker, count int, sizes []string) error {
	for n := 0; n < count; n++ {
		body := bytes.Repeat([]byte("x"), number(sizes[(worker+n)%len(sizes)]))
		request, _ := http.NewRequest("PUT", os.Args[1], bytes.NewReader(body))
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode != 403 {
			return fmt.Errorf("PUT: %s", answer.Status)
		}
		answer, err = client.Get(os.Args[2])
		if err != nil {
			return err
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || string(text) != "precious" {
			return fmt.Errorf("GET: %s %q %v", answer.Status, text, err)
		}
	}
	return nil
}

func main() {
	roots := x509.NewCertPool()
	authority, err := os.ReadFile(os.Getenv("AWS_CA_BUNDLE"))
	if err != nil || !roots.AppendCertsFromPEM(authority) {
		panic("no certificate authority")
	}
	workers := number(os.Args[4])
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: workers}
	client := &http.Client{Transport: transport}
	var group sync.WaitGroup
	for worker := 0; worker < workers; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if err := work(client, worker, number(os.Args[3])/workers, os.Args[5:]); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}()
	}
	group.Wait()
}
