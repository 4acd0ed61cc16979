/**
 * A real rspamd, by HTTP and as a milter, with a configuration of our own: no network, no modules but GTUBE, which it
 * has built in, and rules that do what the field X-Say asks for.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { closedPort } from './closed-port.ts'
import { Daemon, findProgram } from './daemon.ts'

const program = findProgram('rspamd')
export const rspamdAvailable = program !== null

/** Rejected by every rspamd. */
export const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'

export interface RspamdServer {
  readonly url: string
  /** The milter, as the configuration has it. */
  readonly milter: string
  readonly daemon: Daemon
}

export async function startRspamd(): Promise<RspamdServer> {
  const port = await closedPort()
  const daemon = await Daemon.start({
    async command(directory) {
      const file = join(directory, 'rspamd.conf')
      await writeFile(join(directory, 'rules.lua'), rules)
      // Its own list is long, and its patterns take seconds to compile.
      await writeFile(join(directory, 'suffixes.dat'), 'com\nnet\norg\n')
      await writeFile(file, configuration(directory, port))
      const places = ['DBDIR', 'RUNDIR', 'LOGDIR'].map((name) => `--var=${name}=${directory}`)
      // `-i`: as whoever runs the test.
      return [program!, '-f', '-i', '-c', file, ...places]
    },
    async isReady() {
      const answer = await fetch(`http://127.0.0.1:${port}/ping`)
      return (await answer.text()).startsWith('pong')
    },
  })
  return {
    url: `http://127.0.0.1:${port}`,
    milter: `unix:${join(daemon.directory, 'milter.socket')}`,
    daemon,
  }
}

const configuration = (directory: string, port: number): string => `
options {
  pidfile = "${directory}/rspamd.pid";
  tempdir = "${directory}";
  history_file = "${directory}/history";
  dynamic_conf = "${directory}/dynamic";
  hs_cache_dir = "${directory}";
  disable_hyperscan = true;
  url_tld = "${directory}/suffixes.dat";
  filters = "";
  rrd = "";
  dns { nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }
}
logging { type = "console"; level = "notice"; }
lua = "${directory}/rules.lua";
actions { reject = 15; discard { flags = ["no_threshold"]; } rewrite_subject = 8; add_header = 6; greylist = 4; subject = "[SPAM] %s"; }
worker "normal" { bind_socket = "127.0.0.1:${port}"; count = 1; }
worker "rspamd_proxy" {
  bind_socket = "${directory}/milter.socket mode=0600";
  milter = yes;
  timeout = 10s;
  upstream "local" { default = yes; self_scan = yes; }
  count = 1;
}
`

/** X-Say: `spam`, `subject`, `later`, `discard`, `body`, which replaces it, or `fields`, which shows what rspamd knows of the envelope. */
const rules = `
local function says(task, word)
  return task:get_header('X-Say') == word
end
rspamd_config:register_symbol{
  name = 'SAYS_SPAM', score = 7,
  callback = function(task) return says(task, 'spam') end,
}
rspamd_config:register_symbol{
  name = 'SAYS_SUBJECT', score = 9,
  callback = function(task) return says(task, 'subject') end,
}
rspamd_config:register_symbol{
  name = 'SAYS_LATER', type = 'prefilter',
  callback = function(task)
    if says(task, 'later') then task:set_pre_result('soft reject', 'Come back later') end
  end,
}
rspamd_config:register_symbol{
  name = 'SAYS_DISCARD', type = 'prefilter',
  callback = function(task)
    if says(task, 'discard') then task:set_pre_result('discard', 'Away with it') end
  end,
}
rspamd_config:register_symbol{
  name = 'SAYS_BODY', type = 'prefilter',
  callback = function(task)
    if says(task, 'body') then task:set_message(tostring(task:get_raw_headers()) .. '\\r\\n' .. string.rep('new\\r\\n', 100000)) end
  end,
}
rspamd_config:register_symbol{
  name = 'SAYS_FIELDS', type = 'postfilter',
  callback = function(task)
    if not says(task, 'fields') then return end
    local from = (task:get_from('smtp') or { { addr = '' } })[1].addr
    local recipients = {}
    for _, recipient in ipairs(task:get_recipients('smtp') or {}) do table.insert(recipients, recipient.addr) end
    local known = { from, table.concat(recipients, ','), tostring(task:get_from_ip()), task:get_helo() or '' }
    table.insert(known, task:get_user() or '')
    table.insert(known, tostring(task:get_size()))
    task:set_milter_reply({
      add_headers = {
        ['X-Top'] = { value = 'top', order = 1 },
        ['X-Known'] = table.concat(known, ' '),
      },
      remove_headers = { ['X-Say'] = 0 },
    })
  end,
}
`
