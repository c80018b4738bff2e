// An echo, a question, a skill and a counter.
package main

import (
	"fmt"
	"strings"
	"time"

	"botmatrix"
)

func main() {
	p := botmatrix.NewPlugin()
	p.Command("echo", func(c *botmatrix.Context) error {
		c.Reply(strings.Join(c.Args, " "))
		return nil
	})
	p.Command("name", func(c *botmatrix.Context) error {
		said, err := c.Ask("What is your name?", time.Minute)
		if err != nil {
			c.Reply("Never mind.")
			return nil
		}
		c.Reply("Hello, " + said.Text() + "!")
		return nil
	})
	p.ExportSkill("double", func(c *botmatrix.Context) error {
		params, _ := c.Payload["params"].(map[string]any)
		n, _ := params["n"].(float64)
		c.Result(2 * n)
		return nil
	})
	p.RegexCommand(`^double (?P<n>\d+) of (?P<plugin>\S+)$`, func(c *botmatrix.Context) error {
		var n float64
		fmt.Sscan(c.Params["n"], &n)
		result, err := c.CallSkill(c.Params["plugin"], "double", map[string]any{"n": n})
		if err != nil {
			return err
		}
		c.Reply(fmt.Sprint(result))
		return nil
	})
	p.Command("count", func(c *botmatrix.Context) error {
		n, err := c.Session().Get("n")
		if err != nil {
			return err
		}
		next, _ := n.(float64)
		if err := c.Session().Set("n", next+1, 0); err != nil {
			return err
		}
		c.Reply(fmt.Sprint(next + 1))
		return nil
	})
	p.Command("card", func(c *botmatrix.Context) error {
		found, err := c.CallAction("get_group_member_info", nil)
		if err != nil {
			c.Reply("refused: " + err.Error())
			return nil
		}
		c.Reply(fmt.Sprint(found.(map[string]any)["card"]))
		return nil
	})
	p.Run()
}
