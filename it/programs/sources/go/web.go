package main

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"time"
)

// web serves the file at /file, and tells at /sum what it was sent.
func web(port, file string) {
	http.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	http.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "cannot read", 500)
			return
		}
		fmt.Fprintf(w, "%d %x\n", len(body), md5.Sum(body))
	})
	must(http.ListenAndServe(":"+port, nil))
}

// fetch: one client, whose connection is kept: downloads, uploads of known and of unknown length, small requests.
func fetch(host, port string) {
	client := http.Client{Timeout: 10 * time.Second}
	base := "http://" + host + ":" + port
	get := func() string {
		response, err := client.Get(base + "/file")
		must(err)
		defer response.Body.Close()
		sum := md5.New()
		count, err := io.Copy(sum, response.Body)
		must(err)
		return fmt.Sprintf("%d %d %x", response.StatusCode, count, sum.Sum(nil))
	}
	post := func(body io.Reader) string {
		response, err := client.Post(base+"/sum", "application/octet-stream", body)
		must(err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		must(err)
		return fmt.Sprintf("%d %s", response.StatusCode, text)
	}
	fmt.Println(get())
	fmt.Print(post(bytes.NewReader(pattern(4_000_000))))
	fmt.Print(post(io.MultiReader(bytes.NewReader(pattern(3_000_000)))))
	right := 0
	for i := 1; i <= lines; i++ {
		question := pattern(i * 50)
		if post(bytes.NewReader(question)) == "200 "+heard(question) {
			right++
		}
	}
	fmt.Println(right, "small ones")
}
