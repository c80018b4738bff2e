// An echo, a question, a skill and a counter.
using System.Collections.Generic;
using BotMatrix;

static class Program
{
    static void Main()
    {
        var plugin = new BotMatrixPlugin();
        plugin.Command("echo", ctx => ctx.Reply(string.Join(" ", ctx.Args)));
        plugin.Command("name", async ctx =>
        {
            var said = await ctx.AskAsync("What is your name?", 60000);
            ctx.Reply(said == null ? "Never mind." : "Hello, " + said.Text + "!");
        });
        plugin.ExportSkill("double", ctx => ctx.Param("n") is long ? 2 * (long)ctx.Param("n") : 0);
        plugin.RegexCommand(@"^double (?<n>\d{1,9}) of (?<plugin>\S+)$", async ctx =>
        {
            var given = Context.Of("n", long.Parse(ctx.Params["n"]));
            ctx.Reply(await ctx.CallSkillAsync(ctx.Params["plugin"], "double", given));
        });
        plugin.Command("count", async ctx =>
        {
            var n = await ctx.Session.GetAsync("n") as long? ?? 0;
            await ctx.Session.SetAsync("n", n + 1);
            ctx.Reply(n + 1);
        });
        plugin.Command("card", async ctx =>
        {
            try
            {
                var found = (Dictionary<string, object>)await ctx.CallActionAsync("get_group_member_info");
                ctx.Reply(found["card"]);
            }
            catch (Failed failed)
            {
                ctx.Reply("refused: " + failed.Message);
            }
        });
        plugin.Run();
    }
}
