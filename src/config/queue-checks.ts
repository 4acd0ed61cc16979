/** What the fields of queue and delivery must agree on. */
import type { ConfigDraft } from './draft.ts'
import { error, type Finding, warning } from './problem.ts'
import { redisUrlError } from './redis-url.ts'

export function queueFindings(draft: ConfigDraft): Finding[] {
  return [...redis(draft), ...delivery(draft)]
}

function redis(draft: ConfigDraft): Finding[] {
  const { url, mode, nodes } = draft.queue?.redis ?? {}
  const at = ['queue', 'redis']
  const findings: Finding[] = []
  const urlError = url === undefined ? null : redisUrlError(url, { credentials: 'forbidden' })
  if (urlError !== null) findings.push(error([...at, 'url'], urlError))
  if (mode === 'sentinel' && nodes?.length === 0)
    findings.push(error([...at, 'nodes'], 'must name the sentinels, host:port: mode is sentinel'))
  if (mode === 'single' && nodes !== undefined && nodes.length > 0)
    findings.push(
      error([...at, 'nodes'], 'must be left out while mode is single: the server is named by url'),
    )
  return findings
}

function delivery(draft: ConfigDraft): Finding[] {
  const { delayNoticeAfter, expireAfter } = draft.delivery ?? {}
  if (delayNoticeAfter === undefined || expireAfter === undefined || delayNoticeAfter < expireAfter) return []
  return [
    warning(['delivery', 'delayNoticeAfter'], 'is not before expireAfter: nobody is ever told of a delay'),
  ]
}
