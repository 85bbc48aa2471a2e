package main

import (
	"fmt"
	"log"
	"strconv"
	"strings"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

// frames runs the cases of h2spec, the strict ones too, and prints a line for each.
func frames(host, port string) {
	number, err := strconv.Atoi(port)
	if err != nil {
		log.Fatal(err)
	}
	to := &config.Config{Host: host, Port: number, Path: "/", Timeout: 4 * time.Second, MaxHeaderLen: 4000, Strict: true}
	for _, each := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		each.Test(to)
		tell(each)
	}
}

func tell(group *spec.TestGroup) {
	for number, each := range append(group.Tests, group.StrictTests...) {
		name := fmt.Sprintf("%s/%d %s", group.ID(), number+1, each.Desc)
		switch {
		case each.Result == nil || each.Result.Skipped:
			fmt.Printf("not ok %s: passed over\n", name)
		case each.Result.Failed:
			why := fmt.Sprint(each.Result.Error)
			if wrong, is := each.Result.Error.(*spec.TestError); is {
				why = fmt.Sprintf("%s, expected %s", wrong.Actual, strings.Join(wrong.Expected, " or "))
			}
			fmt.Printf("not ok %s: %s\n", name, strings.Join(strings.Fields(why), " "))
		default:
			fmt.Printf("ok %s\n", name)
		}
	}
	for _, each := range group.Groups {
		tell(each)
	}
}
