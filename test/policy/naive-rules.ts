/** Rules about recipients as the prose tells it, one recipient after the other: the measure for `evaluate`. */

export interface SimpleRule {
  readonly recipientIs: readonly string[] | null
  readonly exceptRecipientIs: readonly string[] | null
  readonly anyRecipientIs: readonly string[] | null
  readonly recipientCountOver: number | null
  readonly mode: 'enforce' | 'audit' | 'test'
  /** `prefix` writes the rule's place before the subject. */
  readonly action: 'prefix' | 'reject' | 'drop' | 'defer'
  readonly stop: boolean
}

/** By recipient: `deferred`, `rejected`, `dropped`, or the prefixes of its subject. */
export function naiveFates(rules: readonly SimpleRule[], to: readonly string[]): Record<string, string> {
  const fates = Object.fromEntries(to.map((recipient) => [recipient, fateOf(rules, recipient, to)]))
  const all = Object.values(fates)
  return all.includes('deferred') ? Object.fromEntries(to.map((each) => [each, 'deferred'])) : fates
}

function fateOf(rules: readonly SimpleRule[], recipient: string, to: readonly string[]): string {
  let prefixes = ''
  for (const [index, rule] of rules.entries()) {
    if (rule.mode !== 'enforce' || !actsOn(rule, recipient, to)) continue
    if (rule.action === 'defer') return 'deferred'
    if (rule.action === 'reject') return 'rejected'
    if (rule.action === 'drop') return 'dropped'
    prefixes += `${index};`
    if (rule.stop) break
  }
  return prefixes
}

function actsOn(rule: SimpleRule, recipient: string, to: readonly string[]): boolean {
  if (rule.exceptRecipientIs?.includes(recipient)) return false
  if (rule.anyRecipientIs !== null && !to.some((each) => rule.anyRecipientIs?.includes(each))) return false
  if (rule.recipientCountOver !== null && to.length <= rule.recipientCountOver) return false
  return rule.recipientIs === null || rule.recipientIs.includes(recipient)
}
