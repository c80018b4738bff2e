// The kit for BotMatrix plugins in C#: one file, nothing but the standard library; .NET, or Mono with its mcs.
//
//     var plugin = new BotMatrixPlugin();
//     plugin.Command("echo", ctx => ctx.Reply(string.Join(" ", ctx.Args)));
//     plugin.Run();
//
// Standard output belongs to the protocol; Console.WriteLine goes to standard error while the plugin runs. What a plugin
// may do is in its plugin.json.
using System;
using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

namespace BotMatrix
{
    /// <summary>Handles one event. What it throws makes the host try it once more, and then give the event up.</summary>
    public delegate Task Handler(Context ctx);

    /// <summary>Wraps every handler.</summary>
    public delegate Task Middleware(Context ctx, Func<Task> next);

    /// <summary>What an action, a skill or the store answered when it did not work.</summary>
    public sealed class Failed : Exception
    {
        internal Failed(Dictionary<string, object> payload) : base(Context.TextIn(payload, "error"))
        {
            object code;
            Retcode = payload.TryGetValue("retcode", out code) && code is long ? (long)code : 0;
        }

        public long Retcode { get; private set; }
    }

    /// <summary>A line from the host.</summary>
    public sealed class Message
    {
        public string Id = "", Type = "", Name = "", CorrelationId = "";
        public Dictionary<string, object> Payload = new Dictionary<string, object>();

        internal static Message Parse(string line)
        {
            var found = Json.Parse(line) as Dictionary<string, object>;
            if (found == null) throw new FormatException("it is no object");
            object payload;
            found.TryGetValue("payload", out payload);
            return new Message
            {
                Id = Context.TextIn(found, "id"),
                Type = Context.TextIn(found, "type"),
                Name = Context.TextIn(found, "name"),
                CorrelationId = Context.TextIn(found, "correlation_id"),
                Payload = payload as Dictionary<string, object> ?? new Dictionary<string, object>(),
            };
        }
    }

    /// <summary>Holds the handlers. Register them before Run.</summary>
    public sealed class BotMatrixPlugin
    {
        readonly Dictionary<string, List<Handler>> handlers = new Dictionary<string, List<Handler>>();
        readonly List<Middleware> middlewares = new List<Middleware>();
        readonly ConcurrentDictionary<string, TaskCompletionSource<Message>> waiting =
            new ConcurrentDictionary<string, TaskCompletionSource<Message>>();
        readonly object writing = new object();
        TextWriter output;
        int number;

        /// <summary>Handle on_message, on_notice, on_request, intent_NAME or skill_NAME.</summary>
        public void On(string name, Handler handler)
        {
            List<Handler> found;
            if (!handlers.TryGetValue(name, out found)) handlers[name] = found = new List<Handler>();
            found.Add(handler);
        }

        public void OnMessage(Handler handler) { On("on_message", handler); }
        public void OnNotice(Handler handler) { On("on_notice", handler); }
        public void OnRequest(Handler handler) { On("on_request", handler); }
        public void OnIntent(string name, Handler handler) { On("intent_" + name, handler); }

        /// <summary>A skill that other plugins may call. What it gives is its result.</summary>
        public void ExportSkill(string name, Func<Context, Task<object>> skill)
        {
            On("skill_" + name, async ctx => ctx.Result(await skill(ctx)));
        }

        public void ExportSkill(string name, Func<Context, object> skill)
        {
            On("skill_" + name, ctx => { ctx.Result(skill(ctx)); return Task.CompletedTask; });
        }

        /// <summary>Wrap every handler. The first one added is the outermost.</summary>
        public void Use(Middleware middleware) { middlewares.Add(middleware); }

        /// <summary>
        /// Handle messages that begin with a prefix of the hub (such as /) and this word. A word that itself begins with
        /// a prefix is compared as it is. Args holds the words after it.
        /// </summary>
        public void Command(string word, Handler handler)
        {
            OnMessage(ctx =>
            {
                var words = ctx.Text.Split((char[])null, StringSplitOptions.RemoveEmptyEntries);
                if (words.Length == 0 || !ctx.IsCommand(words[0], word)) return Task.CompletedTask;
                ctx.Args = words.Skip(1).ToArray();
                return handler(ctx);
            });
        }

        public void Command(string word, Action<Context> handler) { Command(word, Later(handler)); }

        /// <summary>Handle messages in which the expression is found. Args holds its groups, Params the named ones.</summary>
        public void RegexCommand(string pattern, Handler handler)
        {
            var expression = new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
            OnMessage(ctx =>
            {
                var found = expression.Match(ctx.Text);
                if (!found.Success) return Task.CompletedTask;
                ctx.Args = found.Groups.Cast<Group>().Skip(1).Select(group => group.Value).ToArray();
                var names = expression.GetGroupNames().Where(name => !char.IsDigit(name[0]));
                ctx.Params = names.ToDictionary(name => name, name => found.Groups[name].Value);
                return handler(ctx);
            });
        }

        public void RegexCommand(string pattern, Action<Context> handler) { RegexCommand(pattern, Later(handler)); }

        /// <summary>Serve until the host closes standard input.</summary>
        public void Run() { RunAsync().GetAwaiter().GetResult(); }

        public Task RunAsync()
        {
            var utf8 = new UTF8Encoding(false);
            var toHost = new StreamWriter(Console.OpenStandardOutput(), utf8, 64 * 1024);
            Console.SetOut(Console.Error);
            return ServeAsync(new StreamReader(Console.OpenStandardInput(), utf8), toHost);
        }

        /// <summary>Run on other streams. Every event is a task of its own.</summary>
        public async Task ServeAsync(TextReader fromHost, TextWriter toHost)
        {
            output = toHost;
            string line;
            while ((line = await fromHost.ReadLineAsync().ConfigureAwait(false)) != null)
            {
                try { Receive(Message.Parse(line)); }
                catch (FormatException error) { Console.Error.WriteLine("a line that can't be read: " + error.Message); }
            }
        }

        void Receive(Message message)
        {
            TaskCompletionSource<Message> waiter;
            if (message.CorrelationId != "" && waiting.TryRemove(message.CorrelationId, out waiter))
            {
                if (message.Type == "event") Say(message.Id, true, new List<object>());
                Task.Run(() => waiter.SetResult(message));
            }
            else if (message.Type != "response")
            {
                Task.Run(() => Handle(message));
            }
        }

        async Task Handle(Message message)
        {
            var ctx = new Context(this, message);
            var name = message.Name == "call_skill" ? "skill_" + Context.TextIn(message.Payload, "skill") : message.Name;
            try
            {
                List<Handler> found;
                if (handlers.TryGetValue(name, out found))
                    foreach (var handler in found) await Wrapped(handler, ctx, 0).ConfigureAwait(false);
                Say(message.Id, true, ctx.Take());
            }
            catch (Exception error)
            {
                Console.Error.WriteLine(error);
                Say(message.Id, false, new List<object>(), error.Message);
            }
        }

        Task Wrapped(Handler handler, Context ctx, int depth)
        {
            if (depth == middlewares.Count) return handler(ctx);
            return middlewares[depth](ctx, () => Wrapped(handler, ctx, depth + 1));
        }

        static Handler Later(Action<Context> handler)
        {
            return ctx => { handler(ctx); return Task.CompletedTask; };
        }

        internal Task<Message> Waits(string eventId, out string correlation)
        {
            var waiter = new TaskCompletionSource<Message>();
            correlation = eventId + "_" + Interlocked.Increment(ref number);
            waiting[correlation] = waiter;
            return waiter.Task;
        }

        internal void Say(string id, bool ok, List<object> actions, string error = null, bool more = false)
        {
            var answer = new Dictionary<string, object> { { "id", id }, { "ok", ok }, { "actions", actions } };
            if (error != null) answer["error"] = error;
            if (more) answer["more"] = true;
            var line = Json.Write(answer);
            lock (writing)
            {
                output.Write(line + "\n");
                output.Flush();
            }
        }
    }

    /// <summary>One event, as its handlers see it.</summary>
    public sealed class Context
    {
        readonly BotMatrixPlugin plugin;
        List<object> actions = new List<object>();

        internal Context(BotMatrixPlugin plugin, Message message)
        {
            this.plugin = plugin;
            Message = message;
            Args = new string[0];
            Params = new Dictionary<string, string>();
            Session = new Session(this);
        }

        public Message Message { get; private set; }
        public string[] Args { get; internal set; }
        public Dictionary<string, string> Params { get; internal set; }
        /// <summary>The plugin's own store.</summary>
        public Session Session { get; private set; }
        public Dictionary<string, object> Payload { get { return Message.Payload; } }
        /// <summary>Who caused the event.</summary>
        public string UserId { get { return TextIn(Payload, "user_id"); } }
        /// <summary>The group in which it happened; empty when in none.</summary>
        public string GroupId { get { return TextIn(Payload, "group_id"); } }
        /// <summary>What was said.</summary>
        public string Text { get { return TextIn(Payload, "text"); } }

        /// <summary>What a skill was called with, by its name; null when it is not there.</summary>
        public object Param(string name)
        {
            object found, value = null;
            var given = Payload.TryGetValue("params", out found) ? found as Dictionary<string, object> : null;
            if (given != null) given.TryGetValue(name, out value);
            return value;
        }

        /// <summary>Say something where the event happened. It leaves when the handler ends, or asks, or calls.</summary>
        public void Reply(object text) { Add("send_message", Of("text", Convert.ToString(text, CultureInfo.InvariantCulture))); }

        /// <summary>Show a picture by its address.</summary>
        public void ReplyImage(string url) { Add("send_image", Of("url", url)); }

        /// <summary>Answer the call of a skill.</summary>
        public void Result(object value) { Add("skill_result", Of("result", value)); }

        /// <summary>Say something and wait for the person's next message there: its context, or null when none came.</summary>
        public async Task<Context> AskAsync(string prompt, int timeoutMs = 30000)
        {
            var message = await Send("send_message", Of("text", prompt, "timeout", timeoutMs / 1000.0));
            if (message.Type == "event") return new Context(plugin, message);
            if (message.Name == "ask_timeout") return null;
            throw new Failed(message.Payload);
        }

        /// <summary>Have the bot do something: the answer's data. Needs the permission of that name.</summary>
        public async Task<object> CallActionAsync(string name, Dictionary<string, object> parameters = null)
        {
            return await Call(name, parameters ?? new Dictionary<string, object>(), "data");
        }

        /// <summary>Have another plugin do something: its result. Needs the permission call_skill.</summary>
        public async Task<object> CallSkillAsync(string other, string skill, Dictionary<string, object> parameters = null)
        {
            var given = parameters ?? new Dictionary<string, object>();
            return await Call("call_skill", Of("target_plugin", other, "skill_name", skill, "payload", given), "result");
        }

        /// <summary>Take a message back. Needs the permission delete_msg.</summary>
        public Task DeleteAsync(string messageId) { return CallActionAsync("delete_message", Of("message_id", messageId)); }

        /// <summary>Remove somebody from a group. Needs the permission set_group_kick.</summary>
        public Task KickAsync(string groupId, string userId)
        {
            return CallActionAsync("kick_user", Of("group_id", groupId, "user_id", userId));
        }

        internal bool IsCommand(string said, string word)
        {
            object prefixes;
            var known = Payload.TryGetValue("prefixes", out prefixes) ? prefixes as List<object> : null;
            return known != null && known.OfType<string>().Any(
                prefix => said == prefix + word || (said == word && word.StartsWith(prefix, StringComparison.Ordinal)));
        }

        internal List<object> Take()
        {
            var taken = actions;
            actions = new List<object>();
            return taken;
        }

        internal async Task<object> Call(string type, Dictionary<string, object> payload, string wanted)
        {
            var answer = (await Send(type, payload)).Payload;
            object ok, value;
            if (!answer.TryGetValue("ok", out ok) || !true.Equals(ok)) throw new Failed(answer);
            answer.TryGetValue(wanted, out value);
            return value;
        }

        Task<Message> Send(string type, Dictionary<string, object> payload)
        {
            string correlation;
            var answered = plugin.Waits(Message.Id, out correlation);
            Add(type, payload)["correlation_id"] = correlation;
            plugin.Say(Message.Id, true, Take(), more: true);
            return answered;
        }

        Dictionary<string, object> Add(string type, Dictionary<string, object> payload)
        {
            var action = Of("type", type, "target", UserId, "target_id", GroupId, "payload", payload);
            if (payload.ContainsKey("text")) action["text"] = payload["text"];
            actions.Add(action);
            return action;
        }

        /// <summary>A JSON object of keys and values by turns.</summary>
        public static Dictionary<string, object> Of(params object[] pairs)
        {
            var found = new Dictionary<string, object>();
            for (var i = 0; i + 1 < pairs.Length; i += 2) found[(string)pairs[i]] = pairs[i + 1];
            return found;
        }

        internal static string TextIn(Dictionary<string, object> found, string key)
        {
            object value;
            return found.TryGetValue(key, out value) ? value as string ?? "" : "";
        }
    }

    /// <summary>Keeps values by key, which no other plugin sees.</summary>
    public sealed class Session
    {
        readonly Context ctx;

        internal Session(Context ctx) { this.ctx = ctx; }

        /// <summary>A value; null when there is none.</summary>
        public Task<object> GetAsync(string key) { return ctx.Call("storage.get", Context.Of("key", key), "value"); }

        /// <summary>Keep a value, for so many seconds or (0) for ever.</summary>
        public Task SetAsync(string key, object value, double expire = 0)
        {
            return ctx.Call("storage.set", Context.Of("key", key, "value", value, "expire", expire), "value");
        }

        public async Task<bool> ExistsAsync(string key)
        {
            return true.Equals(await ctx.Call("storage.exists", Context.Of("key", key), "value"));
        }

        /// <summary>Forget a value; whether it was there.</summary>
        public async Task<bool> DeleteAsync(string key)
        {
            return true.Equals(await ctx.Call("storage.delete", Context.Of("key", key), "value"));
        }
    }

    /// <summary>
    /// JSON: objects are dictionaries, arrays lists, whole numbers long, other numbers double. Throws FormatException.
    /// </summary>
    public static class Json
    {
        const int Deepest = 200;

        public static object Parse(string text)
        {
            var reader = new Reader(text);
            var value = reader.Value(0);
            reader.End();
            return value;
        }

        public static string Write(object value)
        {
            var text = new StringBuilder();
            Write(value, text, 0);
            return text.ToString();
        }

        static void Write(object value, StringBuilder to, int depth)
        {
            if (depth > Deepest) throw new FormatException("nested too deep");
            if (value == null) to.Append("null");
            else if (value is string || value is char) Quote(value.ToString(), to);
            else if (value is bool) to.Append((bool)value ? "true" : "false");
            else if (value is double || value is float) Number(Convert.ToDouble(value), to);
            else if (value is IDictionary) Members((IDictionary)value, to, depth);
            else if (value is IEnumerable) Items((IEnumerable)value, to, depth);
            else if (value is IFormattable && value is ValueType && !(value is DateTime)) Invariant(value, to);
            else Quote(Convert.ToString(value, CultureInfo.InvariantCulture), to);
        }

        static void Invariant(object value, StringBuilder to)
        {
            to.Append(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture));
        }

        static void Number(double value, StringBuilder to)
        {
            if (double.IsNaN(value) || double.IsInfinity(value)) throw new FormatException("no number of JSON");
            to.Append(value.ToString("R", CultureInfo.InvariantCulture));
        }

        static void Members(IDictionary members, StringBuilder to, int depth)
        {
            var before = "{";
            foreach (DictionaryEntry member in members)
            {
                to.Append(before);
                Quote(Convert.ToString(member.Key, CultureInfo.InvariantCulture), to);
                to.Append(':');
                Write(member.Value, to, depth + 1);
                before = ",";
            }
            to.Append(before == "{" ? "{}" : "}");
        }

        static void Items(IEnumerable items, StringBuilder to, int depth)
        {
            var before = "[";
            foreach (var item in items)
            {
                to.Append(before);
                Write(item, to, depth + 1);
                before = ",";
            }
            to.Append(before == "[" ? "[]" : "]");
        }

        static void Quote(string text, StringBuilder to)
        {
            to.Append('"');
            for (var i = 0; i < text.Length; i++)
            {
                var letter = text[i];
                if (letter == '"' || letter == '\\') to.Append('\\').Append(letter);
                else if (letter < ' ' || IsHalf(text, i)) to.Append("\\u").Append(((int)letter).ToString("x4"));
                else to.Append(letter);
            }
            to.Append('"');
        }

        /// <summary>Half of a surrogate pair on its own, which UTF-8 can't say.</summary>
        static bool IsHalf(string text, int at)
        {
            if (char.IsHighSurrogate(text[at])) return at + 1 == text.Length || !char.IsLowSurrogate(text[at + 1]);
            return char.IsLowSurrogate(text[at]) && (at == 0 || !char.IsHighSurrogate(text[at - 1]));
        }

        sealed class Reader
        {
            readonly string text;
            int at;

            internal Reader(string text) { this.text = text; }

            internal object Value(int depth)
            {
                if (depth > Deepest) throw Wrong("nested too deep");
                switch (Peek())
                {
                    case '{': return Members(depth);
                    case '[': return Items(depth);
                    case '"': return Text();
                    case 't': return Word("true", true);
                    case 'f': return Word("false", false);
                    case 'n': return Word("null", null);
                    default: return Number();
                }
            }

            internal void End()
            {
                if (Peek() != '\0' || at < text.Length) throw Wrong("something follows");
            }

            Dictionary<string, object> Members(int depth)
            {
                var found = new Dictionary<string, object>();
                at++;
                if (Next('}')) return found;
                do
                {
                    if (Peek() != '"') throw Wrong("a key is missing");
                    var key = Text();
                    if (!Next(':')) throw Wrong("a colon is missing");
                    found[key] = Value(depth + 1);
                }
                while (Next(','));
                if (!Next('}')) throw Wrong("an object has no end");
                return found;
            }

            List<object> Items(int depth)
            {
                var found = new List<object>();
                at++;
                if (Next(']')) return found;
                do found.Add(Value(depth + 1));
                while (Next(','));
                if (!Next(']')) throw Wrong("an array has no end");
                return found;
            }

            string Text()
            {
                var found = new StringBuilder();
                for (at++; at < text.Length && text[at] != '"'; at++)
                    found.Append(text[at] == '\\' ? Escaped() : text[at]);
                if (at++ >= text.Length) throw Wrong("a text has no end");
                return found.ToString();
            }

            char Escaped()
            {
                if (++at >= text.Length) throw Wrong("a text has no end");
                var plain = "\"\\/bfnrt".IndexOf(text[at]);
                if (plain >= 0) return "\"\\/\b\f\n\r\t"[plain];
                int code;
                if (text[at] != 'u' || at + 4 >= text.Length || !Hex(text.Substring(at + 1, 4), out code))
                    throw Wrong("a bad escape");
                at += 4;
                return (char)code;
            }

            static bool Hex(string digits, out int code)
            {
                return int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out code);
            }

            object Number()
            {
                var start = at;
                while (at < text.Length && "+-.eE0123456789".IndexOf(text[at]) >= 0) at++;
                var said = text.Substring(start, at - start);
                long whole;
                double number;
                if (long.TryParse(said, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out whole)) return whole;
                if (double.TryParse(said, NumberStyles.Float, CultureInfo.InvariantCulture, out number)) return number;
                throw Wrong("no value");
            }

            object Word(string word, object value)
            {
                if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0) throw Wrong("no value");
                at += word.Length;
                return value;
            }

            char Peek()
            {
                while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at++;
                return at < text.Length ? text[at] : '\0';
            }

            bool Next(char wanted)
            {
                if (Peek() != wanted) return false;
                at++;
                return true;
            }

            FormatException Wrong(string reason) { return new FormatException(reason + " at character " + at); }
        }
    }
}
