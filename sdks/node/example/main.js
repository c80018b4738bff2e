"use strict";
// An echo, a question, a skill and a counter.
const { Plugin } = require("../botmatrix");

const plugin = new Plugin();

plugin.command("echo", (ctx) => ctx.reply(ctx.args.join(" ")));

plugin.command("name", async (ctx) => {
  const said = await ctx.ask("What is your name?", 60);
  ctx.reply(said ? `Hello, ${said.text}!` : "Never mind.");
});

plugin.exportSkill("double", (ctx) => 2 * ctx.payload.params.n);

plugin.command(/^double (?<n>\d+) of (?<plugin>\S+)$/, async (ctx) => {
  ctx.reply(await ctx.callSkill(ctx.params.plugin, "double", { n: Number(ctx.params.n) }));
});

plugin.command("count", async (ctx) => {
  const n = ((await ctx.session.get("n")) ?? 0) + 1;
  await ctx.session.set("n", n);
  ctx.reply(n);
});

plugin.command("card", async (ctx) => {
  try {
    ctx.reply((await ctx.callAction("get_group_member_info")).card);
  } catch (error) {
    ctx.reply(`refused: ${error.message}`);
  }
});

plugin.run();
