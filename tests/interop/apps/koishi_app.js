// What the simulator's users expect, on Koishi: it dials (FORWARD, URLs with commas) or is dialled (PORT).
const load = require('node:module').createRequire(process.env.MODULES)
const plugin = (name) => load(name).default || load(name)
const { Context } = load('koishi')

const urls = (process.env.FORWARD || '').split(',')
const context = new Context({ prefix: ['!'], autoAssign: false, autoAuthorize: 0 })
context.plugin(plugin('@koishijs/plugin-http'))
if (!process.env.FORWARD) context.plugin(plugin('@koishijs/plugin-server'), { host: '127.0.0.1', port: +process.env.PORT })
process.env.BOTS.split(',').forEach((selfId, index) => context.plugin(plugin('koishi-plugin-adapter-onebot'), {
  selfId,
  token: process.env.TOKEN || undefined,
  protocol: process.env.FORWARD ? 'ws' : 'ws-reverse',
  endpoint: urls[index],
  path: '/onebot',
  responseTimeout: 30000,
}))

context.middleware(async (session, next) => {
  const [word, tag] = String(session.content).trim().split(' ')
  const api = session.bot.internal
  if (word === 'ping') return `pong ${tag}`
  if (word === 'whoami') {
    const me = await api.getLoginInfo()
    return `iam ${tag} ${me.user_id} ${me.nickname}`
  }
  if (word === 'groups') {
    const groups = await api.getGroupList()
    return `groups ${tag} ${groups.length} ${groups[0].group_id}`
  }
  if (word === 'boom') return `failed ${tag} ${(await api._request('no_such_action', {})).retcode}`
  return next()
})
context.start()
