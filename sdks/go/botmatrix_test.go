package botmatrix

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"
)

// talk is the host's side of a plugin that serves.
type talk struct {
	t    *testing.T
	in   io.WriteCloser
	said *bufio.Scanner
	done chan error
}

func serve(t *testing.T, p *Plugin) *talk {
	theirs, in := io.Pipe()
	out, mine := io.Pipe()
	c := &talk{t, in, bufio.NewScanner(out), make(chan error, 1)}
	go func() { c.done <- p.Serve(theirs, mine) }()
	t.Cleanup(func() {
		in.Close()
		if err := <-c.done; err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *talk) send(kind, id, name, correlation string, payload map[string]any) {
	c.t.Helper()
	line, _ := json.Marshal(Message{id, kind, name, correlation, payload})
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.t.Fatal(err)
	}
}

func (c *talk) hear() answer {
	c.t.Helper()
	var a answer
	if !c.said.Scan() || json.Unmarshal(c.said.Bytes(), &a) != nil {
		c.t.Fatalf("no answer: %q", c.said.Text())
	}
	return a
}

func said(text string) map[string]any {
	return map[string]any{"text": text, "user_id": "1", "group_id": "2", "prefixes": []any{"/"}}
}

func TestCommandsNeedAPrefixAndHaveArguments(t *testing.T) {
	p := NewPlugin()
	p.Command("echo", func(c *Context) error { c.Reply(c.Args[0]); return nil })
	c := serve(t, p)
	for text, replies := range map[string]int{"/echo hi": 1, "echo hi": 0, "/echoes hi": 0, "": 0} {
		c.send("event", "e", "on_message", "", said(text))
		a := c.hear()
		if !a.OK || len(a.Actions) != replies {
			t.Errorf("%q: %+v", text, a)
		}
	}
}

func TestAskWaitsForTheCorrelatedMessage(t *testing.T) {
	p := NewPlugin()
	p.OnMessage(func(c *Context) error {
		answered, err := c.Ask("well?", time.Second)
		if errors.Is(err, ErrTimeout) {
			c.Reply("late")
		} else {
			c.Reply(answered.Text())
		}
		return nil
	})
	c := serve(t, p)
	c.send("event", "e", "on_message", "", said("x"))
	asked := c.hear()
	id, _ := asked.Actions[0]["correlation_id"].(string)
	if !asked.More || id == "" {
		t.Fatalf("%+v", asked)
	}
	c.send("event", "f", "on_message", id, said("blue"))
	first, second := c.hear(), c.hear()
	if first.ID != "f" {
		first, second = second, first
	}
	if len(first.Actions) != 0 || second.Actions[0]["text"] != "blue" {
		t.Errorf("%+v %+v", first, second)
	}
	c.send("event", "g", "on_message", "", said("x"))
	id, _ = c.hear().Actions[0]["correlation_id"].(string)
	c.send("response", "h", "ask_timeout", id, map[string]any{"ok": false})
	if a := c.hear(); a.Actions[0]["text"] != "late" {
		t.Errorf("%+v", a)
	}
}

func TestErrorsAndPanicsAreAnswered(t *testing.T) {
	p := NewPlugin()
	p.RegexCommand("^(?P<how>error|panic)$", func(c *Context) error {
		if c.Params["how"] == "panic" {
			panic("oh")
		}
		return errors.New("no luck")
	})
	c := serve(t, p)
	for text, expected := range map[string]string{"error": "no luck", "panic": "panic: oh"} {
		c.send("event", "e", "on_message", "", said(text))
		if a := c.hear(); a.OK || a.Error != expected {
			t.Errorf("%+v", a)
		}
	}
}

func TestMiddlewareWrapsAndSkillsAnswer(t *testing.T) {
	p := NewPlugin()
	p.Use(func(next Handler) Handler {
		return func(c *Context) error { c.Reply("before"); return next(c) }
	})
	p.ExportSkill("s", func(c *Context) error { c.Result(7); return nil })
	c := serve(t, p)
	c.send("event", "e", "skill_s", "", said(""))
	a := c.hear()
	if len(a.Actions) != 2 || a.Actions[1]["type"] != "skill_result" {
		t.Errorf("%+v", a)
	}
}
