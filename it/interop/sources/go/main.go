// The two ends in Go: peer serve PORT; peer calls HOST PORT NAME runs every case, each in a process of its own, as those
// of grpc-go end theirs when they fail; peer call CASE HOST PORT NAME runs one; peer frames HOST PORT: h2spec.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const limit = 30 * time.Second // of one case

func main() {
	switch words := os.Args[1:]; words[0] {
	case "serve":
		serve(words[1])
	case "calls":
		calls(words[1:])
	case "call":
		call(words[1], words[2]+":"+words[3], words[4])
	case "frames":
		frames(words[1], words[2])
	}
}

func calls(rest []string) {
	for _, each := range cases {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		said, err := exec.CommandContext(ctx, os.Args[0], append([]string{"call", each.name}, rest...)...).CombinedOutput()
		if ctx.Err() != nil {
			err = fmt.Errorf("not within %v", limit)
		}
		cancel()
		if err == nil {
			fmt.Println("ok", each.name)
		} else {
			fmt.Printf("not ok %s: %v: %s\n", each.name, err, strings.Join(strings.Fields(string(said)), " "))
		}
	}
}
