"use strict";
const assert = require("node:assert");
const test = require("node:test");
const { Plugin } = require("./botmatrix");

/** A plugin whose lines are kept. */
function talking(plugin) {
  const said = [];
  plugin.write = (line) => said.push(JSON.parse(line));
  const send = (type, id, name, correlation_id, payload) =>
    plugin.receive(JSON.stringify({ id, type, name, correlation_id, payload }));
  const say = (text, id = "e", correlation) =>
    send("event", id, "on_message", correlation, { text, user_id: "1", group_id: "2", prefixes: ["/"] });
  return { said, send, say };
}

test("commands need a prefix and have arguments", async () => {
  const plugin = new Plugin().command("echo", (ctx) => ctx.reply(ctx.args.join("+")));
  const { said, say } = talking(plugin);
  for (const text of ["/echo a b", "echo a", "/echoes", ""]) await say(text);
  assert.deepEqual(said.map((answer) => answer.actions.map((action) => action.text)), [["a+b"], [], [], []]);
});

test("ask waits for the correlated message, or for the end of its time", async () => {
  const plugin = new Plugin().onMessage(async (ctx) => ctx.reply((await ctx.ask("well?", 5))?.text ?? "late"));
  const { said, say, send } = talking(plugin);
  const handled = say("x");
  assert.equal(said[0].more, true);
  say("blue", "f", said[0].actions[0].correlation_id);
  await handled;
  assert.deepEqual(said[1], { id: "f", ok: true, actions: [] });
  assert.equal(said[2].actions[0].text, "blue");
  const again = say("x");
  send("response", "g", "ask_timeout", said[3].actions[0].correlation_id, { ok: false });
  await again;
  assert.equal(said[4].actions[0].text, "late");
});

test("what is thrown is answered", async () => {
  const plugin = new Plugin().command(/^fail (?<why>.*)$/, (ctx) => { throw new Error(ctx.params.why); });
  const { said, say } = talking(plugin);
  await say("fail no luck");
  assert.deepEqual(said, [{ id: "e", ok: false, actions: [], error: "no luck" }]);
});

test("a refusal is thrown where the action was called", async () => {
  const plugin = new Plugin().onMessage((ctx) => ctx.callAction("kick_user").catch((error) => ctx.reply(error.retcode)));
  const { said, say, send } = talking(plugin);
  const handled = say("x");
  send("response", "r", "kick_user_response", said[0].actions[0].correlation_id, { ok: false, error: "no", retcode: 1403 });
  await handled;
  assert.equal(said[1].actions[0].text, "1403");
});

test("middlewares wrap handlers and a skill's value is its result", async () => {
  const order = [];
  const wrap = (name) => async (ctx, next) => { order.push(name); await next(); order.push(name); };
  const plugin = new Plugin().use(wrap("outer"), wrap("inner")).exportSkill("s", () => 7);
  const { said, send } = talking(plugin);
  await send("event", "e", "skill_s", undefined, { user_id: "", group_id: "" });
  assert.deepEqual(order, ["outer", "inner", "inner", "outer"]);
  assert.equal(said[0].actions[0].payload.result, 7);
});
