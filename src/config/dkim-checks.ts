/** DKIM keys among themselves: what would sign twice, and what hardly anybody could verify. */
import type { DkimKey } from '../message/dkim.ts'
import type { ConfigDraft } from './draft.ts'
import { type Finding, warning } from './problem.ts'
import { repetitionsIn } from './repetition.ts'

/** One selector of a domain is one DNS record, so one key. DNS names compare without case. */
export function dkimFindings(draft: ConfigDraft): Finding[] {
  return repetitionsIn(
    (draft.policy?.dkim ?? []).map((entry, index) => {
      const { domain, selector } = entry ?? {}
      const at = ['policy', 'dkim', index, 'selector']
      if (domain === undefined || selector === undefined) return { key: undefined, at, what: '' }
      const key = `${selector}._domainkey.${domain}`.toLowerCase()
      return { key, at, what: `the selector ${selector} of ${domain}` }
    }),
  )
}

/** Once the keys are read. Many receivers verify RSA only, and take mail without an RSA signature for unsigned. */
export function ed25519AloneFindings(keys: readonly (DkimKey | null)[]): Finding[] {
  // A key that could not be read may be the one that is missed: its error says enough.
  if (keys.includes(null)) return []
  const withRsa = new Set(keys.flatMap((key) => (key?.algorithm === 'rsa-sha256' ? key.domain : [])))
  return keys.flatMap((key, index) =>
    key === null || withRsa.has(key.domain)
      ? []
      : [
          warning(
            ['policy', 'dkim', index],
            `signs ${key.domain} with Ed25519 alone, which many receivers do not verify: add an RSA key under another selector`,
          ),
        ],
  )
}
