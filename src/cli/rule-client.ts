/** What the commands ask a running relay of its policy rules. What is changed is changed as it was read. */
import {
  type ChangedRuleView,
  changedRuleView,
  type RuleListView,
  type RuleView,
  ruleListView,
  ruleView,
} from '../admin/rules/rule-view.ts'
import type { AdminClient } from './admin-client.ts'

export type Settings = Readonly<Record<string, unknown>>

export function rulesOf(relay: AdminClient): Promise<RuleListView> {
  return relay.ask('/rules', { answer: ruleListView })
}

export function ruleNamed(relay: AdminClient, name: string): Promise<RuleView> {
  return relay.ask(pathOf(name), { answer: ruleView })
}

export function addRule(
  relay: AdminClient,
  { rule, place }: { readonly rule: Settings; readonly place?: number | undefined },
): Promise<ChangedRuleView> {
  return relay.ask('/rules', { method: 'POST', body: { rule, place }, answer: changedRuleView })
}

export async function replaceRule(
  relay: AdminClient,
  name: string,
  rule: Settings,
): Promise<ChangedRuleView> {
  const version = await versionOf(relay, name)
  return relay.ask(pathOf(name), { method: 'PUT', body: { version, rule }, answer: changedRuleView })
}

export async function changeRule(
  relay: AdminClient,
  name: string,
  change: { readonly mode: string } | { readonly place: number },
): Promise<ChangedRuleView> {
  const version = await versionOf(relay, name)
  return relay.ask(pathOf(name), { method: 'PATCH', body: { version, ...change }, answer: changedRuleView })
}

export async function removeRule(relay: AdminClient, name: string): Promise<void> {
  await relay.ask(pathOf(name), { method: 'DELETE', answer: null })
}

/** One of the file has none: the relay says so, whatever version is named. */
async function versionOf(relay: AdminClient, name: string): Promise<number> {
  return (await ruleNamed(relay, name)).version ?? 1
}

const pathOf = (name: string): string => `/rules/${encodeURIComponent(name)}`
