// The two ends and a relay in Go: peer serve|file|lines|web|grpc PORT, peer relay PORT HOST PORT,
// peer send|talk|fetch|call HOST PORT [BYTES]. The exchange is that of peer.py.
package main

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

const (
	answerSize = 2_000_000
	lines      = 200
)

func pattern(size int) []byte {
	out := make([]byte, size)
	for i := range out {
		out[i] = byte(i % 251)
	}
	return out
}

func heard(data []byte) string {
	return fmt.Sprintf("%d %x\n", len(data), md5.Sum(data))
}

func must(err error) {
	if err != nil {
		fmt.Println("fails:", err)
		os.Exit(1)
	}
}

func serve(port string, each func(*net.TCPConn)) {
	listener, err := net.Listen("tcp", ":"+port)
	must(err)
	for {
		connection, err := listener.Accept()
		must(err)
		go each(connection.(*net.TCPConn))
	}
}

func answer(connection *net.TCPConn, question []byte) {
	io.WriteString(connection, heard(question))
	connection.Write(pattern(answerSize))
	connection.Close()
}

func exchange(connection *net.TCPConn) {
	question, _ := io.ReadAll(connection)
	answer(connection, question)
}

// toFile takes the way of io.Copy into a file: splice(2) from the socket.
func toFile(connection *net.TCPConn) {
	file, err := os.CreateTemp("", "peer")
	must(err)
	os.Remove(file.Name())
	defer file.Close()
	if _, err := io.Copy(file, connection); err != nil {
		fmt.Println("copy:", err)
	}
	file.Seek(0, io.SeekStart)
	question, _ := io.ReadAll(file)
	answer(connection, question)
}

func conversation(connection *net.TCPConn) {
	scanner := bufio.NewScanner(connection)
	for scanner.Scan() {
		fmt.Fprintf(connection, "you said %s\n", scanner.Text())
	}
	connection.Close()
}

// relay takes the way of io.Copy between two connections: splice(2) from each.
func relay(host, port string) func(*net.TCPConn) {
	return func(down *net.TCPConn) {
		up, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			down.Close()
			return
		}
		back := make(chan bool)
		go func() {
			io.Copy(down, up)
			down.CloseWrite()
			back <- true
		}()
		io.Copy(up, down)
		up.(*net.TCPConn).CloseWrite()
		<-back
		down.Close()
		up.Close()
	}
}

func dial(host, port string) *net.TCPConn {
	connection, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), 5*time.Second)
	must(err)
	connection.SetDeadline(time.Now().Add(6 * time.Second))
	return connection.(*net.TCPConn)
}

func send(host, port string, size int) {
	connection := dial(host, port)
	question := pattern(size)
	_, err := connection.Write(question)
	must(plain(err))
	connection.CloseWrite()
	got, err := io.ReadAll(connection)
	must(plain(err))
	line, rest, _ := bytes.Cut(got, []byte("\n"))
	if string(line)+"\n" == heard(question) {
		line = []byte("heard")
	}
	fmt.Println("sent", size, string(line), "answer", bytes.Equal(rest, pattern(answerSize)))
}

// plain: an error without addresses.
func plain(err error) error {
	if failed, ok := err.(*net.OpError); ok {
		return fmt.Errorf("%s: %w", failed.Op, failed.Err)
	}
	return err
}

func talk(host, port string) {
	connection := dial(host, port)
	reader := bufio.NewReader(connection)
	right := 0
	for i := 0; i < lines; i++ {
		fmt.Fprintf(connection, "line %d\n", i)
		line, err := reader.ReadString('\n')
		must(plain(err))
		if line == fmt.Sprintf("you said line %d\n", i) {
			right++
		}
	}
	fmt.Println(right, "answers")
}

func main() {
	words := os.Args[2:]
	size := 5_000_000
	if len(words) > 2 {
		size, _ = strconv.Atoi(words[2])
	}
	switch os.Args[1] {
	case "serve":
		serve(words[0], exchange)
	case "file":
		serve(words[0], toFile)
	case "lines":
		serve(words[0], conversation)
	case "web":
		web(words[0], words[1])
	case "grpc":
		serveCalls(words[0])
	case "relay":
		serve(words[0], relay(words[1], words[2]))
	case "send":
		send(words[0], words[1], size)
	case "talk":
		talk(words[0], words[1])
	case "fetch":
		fetch(words[0], words[1])
	case "call":
		call(words[0], words[1])
	}
}
