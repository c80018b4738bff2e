// The kit's own tests: a program that says what is wrong and ends with 1 when anything is.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading.Tasks;
using BotMatrix;

static class Tests
{
    static int failures;

    static int Main()
    {
        Run("commands need a prefix and have arguments", Commands);
        Run("ask waits for the correlated message, or for the end of its time", Asking);
        Run("what is thrown is answered", Throwing);
        Run("a refusal is thrown where the action was called", Refusal);
        Run("middlewares wrap handlers and a skill's value is its result", Wrapping);
        Run("JSON comes back as it went", RoundTrip);
        Run("what is no JSON is refused", NoJson);
        return failures == 0 ? 0 : 1;
    }

    static void Commands()
    {
        var plugin = new BotMatrixPlugin();
        plugin.Command("echo", ctx => ctx.Reply(string.Join("+", ctx.Args)));
        using (var host = new Host(plugin))
        {
            foreach (var said in new[] { "/echo a b", "echo a", "/echoes", "" })
            {
                host.Message("e", said);
                var actions = host.Hear("e").Actions;
                Equal(said == "/echo a b" ? "a+b" : "", string.Join(",", actions.Select(action => action["text"])));
            }
        }
    }

    static void Asking()
    {
        var plugin = new BotMatrixPlugin();
        plugin.OnMessage(async ctx =>
        {
            var said = await ctx.AskAsync("well?", 5000);
            ctx.Reply(said == null ? "late" : said.Text);
        });
        using (var host = new Host(plugin))
        {
            host.Message("e", "x");
            var asked = host.Hear("e");
            Equal(true, asked.More);
            host.Message("f", "blue", (string)asked.Actions[0]["correlation_id"]);
            Equal("blue", host.Hear("e").Actions[0]["text"]);
            Equal(0, host.Hear("f").Actions.Count);
            host.Message("g", "x");
            host.Response("ask_timeout", (string)host.Hear("g").Actions[0]["correlation_id"], Context.Of("ok", false));
            Equal("late", host.Hear("g").Actions[0]["text"]);
        }
    }

    static void Throwing()
    {
        var plugin = new BotMatrixPlugin();
        plugin.RegexCommand("^fail (?<why>.*)$", ctx => { throw new InvalidOperationException(ctx.Params["why"]); });
        using (var host = new Host(plugin))
        {
            host.Message("e", "fail no luck");
            var said = host.Hear("e");
            Equal(false, said.Ok);
            Equal("no luck", said.Error);
        }
    }

    static void Refusal()
    {
        var plugin = new BotMatrixPlugin();
        plugin.OnMessage(async ctx =>
        {
            try { await ctx.CallActionAsync("kick_user"); }
            catch (Failed failed) { ctx.Reply(failed.Retcode); }
        });
        using (var host = new Host(plugin))
        {
            host.Message("e", "x");
            var id = (string)host.Hear("e").Actions[0]["correlation_id"];
            host.Response("kick_user_response", id, Context.Of("ok", false, "error", "no", "retcode", 1403));
            Equal("1403", host.Hear("e").Actions[0]["text"]);
        }
    }

    static void Wrapping()
    {
        var order = new ConcurrentQueue<string>();
        var plugin = new BotMatrixPlugin();
        foreach (var name in new[] { "outer", "inner" })
            plugin.Use(async (ctx, next) => { order.Enqueue(name); await next(); order.Enqueue(name); });
        plugin.ExportSkill("s", ctx => 7);
        using (var host = new Host(plugin))
        {
            host.Send("event", "e", "skill_s", "", Context.Of("user_id", "", "group_id", ""));
            var payload = (Dictionary<string, object>)host.Hear("e").Actions[0]["payload"];
            Equal(7L, payload["result"]);
            host.Send("request", "r", "call_skill", "", Context.Of("skill", "s", "params", Context.Of()));
            Equal("skill_result", host.Hear("r").Actions[0]["type"]);
        }
        Equal("outer inner inner outer", string.Join(" ", order.Take(4)));
    }

    static void RoundTrip()
    {
        foreach (var text in new[] { "{}", "[]", "[1,-2.5,true,false,null]", "{\"a\":{\"b\":[\"c\"]}}", "9223372036854775807" })
            Equal(text, Json.Write(Json.Parse(text)));
        const string odd = "\"\\\u0001\n\u2028 😀 天";
        Equal(odd, Json.Parse(Json.Write(odd)));
        Equal("é/\t", Json.Parse(" \"\\u00e9\\/\\t\" "));
        Equal("\"\\ud800\"", Json.Write("\ud800"));
        Equal("1E+300", Json.Write(Json.Parse("1e300")));
    }

    static void NoJson()
    {
        var deep = new string('[', 100000);
        foreach (var text in new[] { "", "{", "[1,]", "{\"a\"}", "{a:1}", "tru", "\"", "\"\\x\"", "\"\\u12\"", "1 2", "-", deep })
        {
            try { Json.Parse(text); }
            catch (FormatException) { continue; }
            Equal("refused", text);
        }
    }

    static void Run(string name, Action test)
    {
        try { test(); Console.WriteLine("ok      " + name); }
        catch (Exception error) { failures++; Console.WriteLine("FAILED  " + name + ": " + error); }
    }

    static void Equal(object expected, object found)
    {
        if (!Equals(expected, found)) throw new Exception("expected " + expected + ", found " + found);
    }

    sealed class Answer
    {
        public string Id, Error;
        public bool Ok, More;
        public List<Dictionary<string, object>> Actions;
    }

    /// <summary>The host's side of a plugin that serves.</summary>
    sealed class Host : IDisposable
    {
        readonly Lines toPlugin = new Lines(), fromPlugin = new Lines();
        readonly List<Answer> heard = new List<Answer>();
        readonly Task serving;

        public Host(BotMatrixPlugin plugin) { serving = plugin.ServeAsync(toPlugin.Reader, fromPlugin.Writer); }

        public void Message(string id, string text, string correlation = "")
        {
            var prefixes = new List<object> { "/" };
            Send("event", id, "on_message", correlation, Context.Of("text", text, "user_id", "1", "prefixes", prefixes));
        }

        public void Response(string name, string correlation, Dictionary<string, object> payload)
        {
            Send("response", "r", name, correlation, payload);
        }

        public void Send(string type, string id, string name, string correlation, Dictionary<string, object> payload)
        {
            var told = Context.Of("id", id, "type", type, "name", name, "correlation_id", correlation, "payload", payload);
            toPlugin.Writer.Write(Json.Write(told) + "\n");
        }

        /// <summary>The next answer to this id.</summary>
        public Answer Hear(string id)
        {
            Answer found;
            while ((found = heard.FirstOrDefault(answer => answer.Id == id)) == null) heard.Add(Read());
            heard.Remove(found);
            return found;
        }

        Answer Read()
        {
            var found = (Dictionary<string, object>)Json.Parse(fromPlugin.Reader.ReadLine());
            return new Answer
            {
                Id = (string)found["id"],
                Ok = (bool)found["ok"],
                More = found.ContainsKey("more"),
                Error = found.ContainsKey("error") ? (string)found["error"] : "",
                Actions = ((List<object>)found["actions"]).Cast<Dictionary<string, object>>().ToList(),
            };
        }

        public void Dispose()
        {
            toPlugin.Close();
            if (!serving.Wait(10000)) throw new Exception("it does not end");
        }
    }

    /// <summary>Lines from a writer to a reader, which waits for them.</summary>
    sealed class Lines
    {
        readonly BlockingCollection<string> lines = new BlockingCollection<string>();
        public readonly TextReader Reader;
        public readonly TextWriter Writer;

        public Lines()
        {
            Reader = new From { Lines = lines };
            Writer = new To { Lines = lines };
        }

        public void Close() { lines.CompleteAdding(); }

        sealed class From : TextReader
        {
            public BlockingCollection<string> Lines;

            public override string ReadLine()
            {
                string line;
                return Lines.TryTake(out line, 20000) ? line : null;
            }

            public override Task<string> ReadLineAsync() { return Task.Run(() => ReadLine()); }
        }

        sealed class To : TextWriter
        {
            public BlockingCollection<string> Lines;

            public override Encoding Encoding { get { return Encoding.UTF8; } }

            public override void Write(char value) { Write(value.ToString()); }

            public override void Write(string value) { Lines.Add(value.TrimEnd('\n')); }
        }
    }
}
