"use strict";
/**
 * The kit for BotMatrix plugins in Node.js: one file, no dependencies.
 *
 *   const { Plugin } = require("./botmatrix");
 *   const plugin = new Plugin();
 *   plugin.command("echo", (ctx) => ctx.reply(ctx.args.join(" ")));
 *   plugin.run();
 *
 * Standard output belongs to the protocol; console.log goes to standard error while the plugin runs. What a plugin may
 * do is in its plugin.json.
 */

const readline = require("node:readline");

/** What an action, a skill or the store answered when it did not work. */
class Failed extends Error {
  constructor(payload) {
    super(String(payload.error));
    this.retcode = payload.retcode;
  }
}

class Plugin {
  constructor() {
    this.handlers = new Map();
    this.middlewares = [];
    this.waiting = new Map();
    this.number = 0;
    this.write = (line) => process.stdout.write(line);
  }

  /** Handle on_message, on_notice, on_request, intent_NAME or skill_NAME. */
  on(event, handler) {
    this.handlers.set(event, [...(this.handlers.get(event) ?? []), handler]);
    return this;
  }

  onMessage(handler) { return this.on("on_message", handler); }
  onNotice(handler) { return this.on("on_notice", handler); }
  onIntent(name, handler) { return this.on(`intent_${name}`, handler); }

  /** A skill that other plugins may call. What the handler returns is its result. */
  exportSkill(name, handler) {
    return this.on(`skill_${name}`, async (ctx) => ctx.result(await handler(ctx)));
  }

  /**
   * Handle messages that begin with a prefix of the hub (such as /) and this word, or in which a RegExp is found.
   * `ctx.args` are the words after it, or the groups; `ctx.params` the named groups.
   */
  command(word, handler) {
    return this.onMessage((ctx) => (word instanceof RegExp ? byRegExp : byWord)(word, ctx) && handler(ctx));
  }

  /** Wrap every handler: `(ctx, next) => ...`. The first one added is the outermost. */
  use(...middlewares) {
    this.middlewares.push(...middlewares);
    return this;
  }

  /** Serve until the host closes standard input. */
  run() {
    console.log = console.info = console.debug = console.error;
    readline.createInterface({ input: process.stdin, terminal: false }).on("line", (line) => this.receive(line));
  }

  /** One line of the host. */
  receive(line) {
    let message;
    try {
      message = JSON.parse(line);
    } catch (error) {
      console.error(`a line that is no JSON: ${error.message}`);
      return undefined;
    }
    const waiter = this.waiting.get(message.correlation_id);
    if (waiter) {
      this.waiting.delete(message.correlation_id);
      if (message.type === "event") this.say(message.id, { ok: true, actions: [] });
      waiter(message);
      return undefined;
    }
    return message.type === "response" ? undefined : this.handle(message);
  }

  async handle(message) {
    const ctx = new Context(this, message);
    const name = message.name === "call_skill" ? `skill_${message.payload.skill}` : message.name;
    try {
      for (const handler of this.handlers.get(name) ?? []) await this.wrapped(handler)(ctx);
      this.say(message.id, { ok: true, actions: ctx.actions });
    } catch (error) {
      console.error(error);
      this.say(message.id, { ok: false, actions: [], error: String(error?.message ?? error) });
    }
  }

  wrapped(handler) {
    return this.middlewares.reduceRight((next, middleware) => (ctx) => middleware(ctx, () => next(ctx)), handler);
  }

  say(id, answer) {
    this.write(JSON.stringify({ id, ...answer }) + "\n");
  }
}

/** One event, as its handlers see it. */
class Context {
  constructor(plugin, message) {
    this.plugin = plugin;
    this.message = message;
    this.payload = message.payload;
    this.args = [];
    this.params = {};
    this.actions = [];
    this.session = {
      /** A value of the plugin's own store; null when there is none. */
      get: async (key) => (await this.call("storage.get", { key })).value,
      /** Keep a value, for so many seconds or (0) for ever. */
      set: async (key, value, expire = 0) => void (await this.call("storage.set", { key, value, expire })),
      delete: async (key) => (await this.call("storage.delete", { key })).value,
    };
  }

  get userId() { return this.payload.user_id; }
  get groupId() { return this.payload.group_id; }
  get text() { return this.payload.text; }

  /** Say something where the event happened. It leaves when the handler ends, or asks, or calls. */
  reply(text) { this.add("send_message", { text: String(text) }); }
  replyImage(url) { this.add("send_image", { url }); }
  /** Answer the call of a skill. */
  result(value) { this.add("skill_result", { result: value ?? null }); }

  /** Say something and wait for the person's next message there: its context, or null after `seconds`. */
  async ask(prompt, seconds = 30) {
    const message = await this.send("send_message", { text: prompt, timeout: seconds });
    if (message.type === "event") return new Context(this.plugin, message);
    if (message.name === "ask_timeout") return null;
    throw new Failed(message.payload);
  }

  /** Have the bot do something: the answer's data. Needs the permission of that name. */
  async callAction(name, params = {}) { return (await this.call(name, params)).data; }

  /** Have another plugin do something: its result. Needs the permission call_skill. */
  async callSkill(plugin, skill, params = {}) {
    return (await this.call("call_skill", { target_plugin: plugin, skill_name: skill, payload: params })).result;
  }

  delete(messageId) { return this.callAction("delete_message", { message_id: messageId }); }
  kick(groupId, userId) { return this.callAction("kick_user", { group_id: groupId, user_id: userId }); }

  add(type, payload, correlation) {
    const action = { type, target: this.userId, target_id: this.groupId, payload };
    if ("text" in payload) action.text = payload.text;
    if (correlation) action.correlation_id = correlation;
    this.actions.push(action);
  }

  async call(type, payload) {
    const { payload: answer } = await this.send(type, payload);
    if (!answer.ok) throw new Failed(answer);
    return answer;
  }

  send(type, payload) {
    const id = `${this.message.id}_${++this.plugin.number}`;
    this.add(type, payload, id);
    const answered = new Promise((resolve) => this.plugin.waiting.set(id, resolve));
    this.plugin.say(this.message.id, { ok: true, actions: this.actions, more: true });
    this.actions = [];
    return answered;
  }
}

function byRegExp(expression, ctx) {
  const found = ctx.text.match(expression);
  if (found) {
    ctx.args = found.slice(1);
    ctx.params = { ...found.groups };
  }
  return found !== null;
}

function byWord(word, ctx) {
  const [said, ...args] = ctx.text.trim().split(/\s+/);
  ctx.args = args;
  return (ctx.payload.prefixes ?? []).some((prefix) => said === prefix + word || (said === word && word.startsWith(prefix)));
}

module.exports = { Plugin, Context, Failed };
