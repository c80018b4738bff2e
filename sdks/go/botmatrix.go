// Package botmatrix is the kit for BotMatrix plugins in Go: one file, the standard library only.
//
//	p := botmatrix.NewPlugin()
//	p.Command("echo", func(c *botmatrix.Context) error { c.Reply(strings.Join(c.Args, " ")); return nil })
//	p.Run()
//
// Standard output belongs to the protocol; write logs to standard error. What a plugin may do is in its plugin.json.
package botmatrix

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

const longestLine = 2 << 20

// ErrTimeout is what Ask returns when the person says nothing in time.
var ErrTimeout = errors.New("nobody answered in time")

// Message is a line from the host.
type Message struct {
	ID            string         `json:"id"`
	Type          string         `json:"type"`
	Name          string         `json:"name"`
	CorrelationID string         `json:"correlation_id"`
	Payload       map[string]any `json:"payload"`
}

type answer struct {
	ID      string           `json:"id"`
	OK      bool             `json:"ok"`
	Actions []map[string]any `json:"actions"`
	Error   string           `json:"error,omitempty"`
	More    bool             `json:"more,omitempty"`
}

// Handler handles one event. An error makes the host try it once more, and then give the event up.
type Handler func(c *Context) error

// Middleware wraps every handler.
type Middleware func(next Handler) Handler

// Plugin holds the handlers. Register them before Run.
type Plugin struct {
	handlers    map[string][]Handler
	middlewares []Middleware
	mu          sync.Mutex
	waiting     map[string]chan Message
	number      int
	out         io.Writer
}

// NewPlugin makes a plugin without handlers.
func NewPlugin() *Plugin {
	return &Plugin{handlers: map[string][]Handler{}, waiting: map[string]chan Message{}}
}

// On registers a handler for on_message, on_notice, on_request, intent_NAME or skill_NAME.
func (p *Plugin) On(event string, h Handler) { p.handlers[event] = append(p.handlers[event], h) }

// OnMessage registers a handler for every message.
func (p *Plugin) OnMessage(h Handler) { p.On("on_message", h) }

// OnNotice registers a handler for notices.
func (p *Plugin) OnNotice(h Handler) { p.On("on_notice", h) }

// OnIntent registers a handler for an intent of plugin.json.
func (p *Plugin) OnIntent(name string, h Handler) { p.On("intent_"+name, h) }

// ExportSkill registers a skill that other plugins may call; answer it with Result.
func (p *Plugin) ExportSkill(name string, h Handler) { p.On("skill_"+name, h) }

// Use adds a middleware; the first one added is the outermost.
func (p *Plugin) Use(m ...Middleware) { p.middlewares = append(p.middlewares, m...) }

// Command registers a handler for messages that begin with a prefix of the hub (such as /) and this word. A word that
// itself begins with a prefix is compared as it is. Args holds the words after it.
func (p *Plugin) Command(word string, h Handler) {
	p.OnMessage(func(c *Context) error {
		fields := strings.Fields(c.Text())
		if len(fields) == 0 || !c.isCommand(fields[0], word) {
			return nil
		}
		c.Args = fields[1:]
		return h(c)
	})
}

// RegexCommand registers a handler for messages in which the expression is found. Params holds its named groups.
func (p *Plugin) RegexCommand(pattern string, h Handler) {
	expression := regexp.MustCompile(pattern)
	p.OnMessage(func(c *Context) error {
		found := expression.FindStringSubmatch(c.Text())
		if found == nil {
			return nil
		}
		c.Args, c.Params = found[1:], map[string]string{}
		for i, name := range expression.SubexpNames() {
			if name != "" {
				c.Params[name] = found[i]
			}
		}
		return h(c)
	})
}

// Run serves until the host closes standard input.
func (p *Plugin) Run() {
	if err := p.Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Serve is Run on other streams.
func (p *Plugin) Serve(in io.Reader, out io.Writer) error {
	p.out = out
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64*1024), longestLine)
	var events sync.WaitGroup
	for lines.Scan() {
		var m Message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			fmt.Fprintln(os.Stderr, "a line that is no JSON:", err)
			continue
		}
		if p.wanted(m) {
			continue
		}
		if m.Type == "event" || m.Type == "request" {
			events.Add(1)
			go func() { defer events.Done(); p.handle(m) }()
		}
	}
	return lines.Err()
}

// wanted hands a message to who waits for it, and says whether anybody did.
func (p *Plugin) wanted(m Message) bool {
	if m.CorrelationID == "" {
		return false
	}
	p.mu.Lock()
	waiter, found := p.waiting[m.CorrelationID]
	p.mu.Unlock()
	if !found {
		return m.Type == "response"
	}
	waiter <- m
	if m.Type == "event" {
		p.say(answer{ID: m.ID, OK: true})
	}
	return true
}

func (p *Plugin) handle(m Message) {
	c := &Context{Message: m, plugin: p}
	name := m.Name
	if name == "call_skill" {
		name = "skill_" + c.text("skill")
	}
	err := c.run(p.handlers[name])
	if err != nil {
		p.say(answer{ID: m.ID, Error: err.Error()})
		return
	}
	p.say(answer{ID: m.ID, OK: true, Actions: c.actions})
}

func (p *Plugin) say(a answer) {
	if a.Actions == nil {
		a.Actions = []map[string]any{}
	}
	line, err := json.Marshal(a)
	if err != nil {
		line, _ = json.Marshal(answer{ID: a.ID, Actions: []map[string]any{}, Error: err.Error()})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.out.Write(append(line, '\n'))
}

// Context is one event, as its handlers see it.
type Context struct {
	Message
	Args    []string
	Params  map[string]string
	plugin  *Plugin
	actions []map[string]any
}

func (c *Context) run(handlers []Handler) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	for _, h := range handlers {
		for i := len(c.plugin.middlewares) - 1; i >= 0; i-- {
			h = c.plugin.middlewares[i](h)
		}
		if err := h(c); err != nil {
			return err
		}
	}
	return nil
}

func (c *Context) text(key string) string { s, _ := c.Payload[key].(string); return s }

// UserID is who caused the event.
func (c *Context) UserID() string { return c.text("user_id") }

// GroupID is the group in which it happened; empty when in none.
func (c *Context) GroupID() string { return c.text("group_id") }

// Text is what was said.
func (c *Context) Text() string { return c.text("text") }

func (c *Context) isCommand(said, word string) bool {
	if said == word {
		return !isLetter(word) // a plain word needs a prefix
	}
	prefixes, _ := c.Payload["prefixes"].([]any)
	for _, prefix := range prefixes {
		if s, ok := prefix.(string); ok && said == s+word {
			return true
		}
	}
	return false
}

func isLetter(word string) bool { return regexp.MustCompile(`^[\pL\pN]`).MatchString(word) }

func (c *Context) action(kind string, params map[string]any, correlation string) map[string]any {
	a := map[string]any{"type": kind, "target": c.UserID(), "target_id": c.GroupID(), "payload": params}
	if text, ok := params["text"]; ok {
		a["text"] = text
	}
	if correlation != "" {
		a["correlation_id"] = correlation
	}
	return a
}

// Reply says something where the event happened. It leaves when the handler ends, or asks, or calls.
func (c *Context) Reply(text string) {
	c.actions = append(c.actions, c.action("send_message", map[string]any{"text": text}, ""))
}

// ReplyImage shows a picture by its address.
func (c *Context) ReplyImage(url string) {
	c.actions = append(c.actions, c.action("send_image", map[string]any{"url": url}, ""))
}

// Delete takes a message back. Needs the permission delete_msg.
func (c *Context) Delete(messageID string) (any, error) {
	return c.CallAction("delete_message", map[string]any{"message_id": messageID})
}

// Kick removes somebody from a group. Needs the permission set_group_kick.
func (c *Context) Kick(groupID, userID string) (any, error) {
	return c.CallAction("kick_user", map[string]any{"group_id": groupID, "user_id": userID})
}

// Result answers the call of a skill.
func (c *Context) Result(value any) {
	c.actions = append(c.actions, c.action("skill_result", map[string]any{"result": value}, ""))
}

// Ask says something and waits for the person's next message there; its Context has the text.
func (c *Context) Ask(prompt string, timeout time.Duration) (*Context, error) {
	m := c.call("send_message", map[string]any{"text": prompt, "timeout": timeout.Seconds()})
	if m.Type == "event" {
		return &Context{Message: m, plugin: c.plugin}, nil
	}
	if m.Name == "ask_timeout" {
		return nil, ErrTimeout
	}
	return nil, failure(m)
}

// CallAction has the bot do something and gives the answer's data. Needs the permission of that name.
func (c *Context) CallAction(name string, params map[string]any) (any, error) {
	m := c.call(name, params)
	return m.Payload["data"], failure(m)
}

// CallSkill has another plugin do something and gives its result. Needs the permission call_skill.
func (c *Context) CallSkill(plugin, skill string, params map[string]any) (any, error) {
	m := c.call("call_skill", map[string]any{"target_plugin": plugin, "skill_name": skill, "payload": params})
	return m.Payload["result"], failure(m)
}

// Session is the plugin's own store.
func (c *Context) Session() Session { return Session{c} }

// Session keeps values by key, which no other plugin sees.
type Session struct{ c *Context }

// Get gives a value; nil when there is none.
func (s Session) Get(key string) (any, error) {
	m := s.c.call("storage.get", map[string]any{"key": key})
	return m.Payload["value"], failure(m)
}

// Set keeps a value, for so long or (0) for ever.
func (s Session) Set(key string, value any, expire time.Duration) error {
	return failure(s.c.call("storage.set", map[string]any{"key": key, "value": value, "expire": expire.Seconds()}))
}

// Delete forgets a value.
func (s Session) Delete(key string) error {
	return failure(s.c.call("storage.delete", map[string]any{"key": key}))
}

func failure(m Message) error {
	if ok, _ := m.Payload["ok"].(bool); ok {
		return nil
	}
	return fmt.Errorf("%v", m.Payload["error"])
}

// call sends what is buffered and this action, and waits for what becomes of it.
func (c *Context) call(kind string, params map[string]any) Message {
	p, waiter := c.plugin, make(chan Message, 1)
	p.mu.Lock()
	p.number++
	id := fmt.Sprintf("%s_%d", c.ID, p.number)
	p.waiting[id] = waiter
	p.mu.Unlock()
	c.actions = append(c.actions, c.action(kind, params, id))
	p.say(answer{ID: c.ID, OK: true, Actions: c.actions, More: true})
	c.actions = nil
	m := <-waiter
	p.mu.Lock()
	delete(p.waiting, id)
	p.mu.Unlock()
	return m
}
