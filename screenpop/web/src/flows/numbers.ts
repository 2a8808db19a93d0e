/** What the server tells of flows, and what the page makes of it. Pure but for `ask`. */

import { countText, spanText } from '../format'
import { CALL_LIMIT_MS } from '../rest'

export interface Containment {
  calls: number
  contained: number
  rate: number | null
}

export interface FlowLine {
  flow: string
  title: string
  version: string
  nodes: number
  now: number
  containment: Containment
}

export interface GraphLine {
  step: string
  depth: number
  text: string
  leads: boolean
}

export interface GraphNode {
  id: string
  title: string
  is_start: boolean
  is_flow: boolean
  lines: GraphLine[]
}

export interface GraphEdge {
  source: string
  target: string
  labels: string[]
  ways: { step: string; way: string }[]
}

export interface FlowGraph {
  flow: string
  title: string
  version: string
  nodes: GraphNode[]
  edges: GraphEdge[]
}

export interface Counts {
  entered: number
  hung_up: number
  timed_out: number
  invalid: number
  stayed_us: number
  now: number
}

export interface StepNumbers extends Counts {
  step: string
  left: Record<string, number>
}

export interface NodeNumbers extends Counts {
  node: string
  steps: StepNumbers[]
}

export interface FlowNumbers {
  flow: string
  since: number
  until: number
  version: string
  versions: string[]
  containment: Containment
  numbers: (Containment & { number: string })[]
  nodes: NodeNumbers[]
}

/** What was asked for, or why it did not come. */
export type Answer<T> = { ok: true; value: T } | { ok: false; status: number; text: string }

export async function ask<T>(path: string, method = 'GET', body?: object, limit_ms = CALL_LIMIT_MS): Promise<Answer<T>> {
  const headers: Record<string, string> = { 'X-Callyard': '1' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  try {
    const response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(limit_ms),
    })
    const told: unknown = await response.json().catch(() => null)
    if (response.ok) return { ok: true, value: told as T }
    return { ok: false, status: response.status, text: messageOf(told) }
  } catch {
    return { ok: false, status: 0, text: '' }
  }
}

function messageOf(told: unknown): string {
  if (typeof told !== 'object' || told === null || !('message' in told)) return ''
  return typeof told.message === 'string' ? told.message : ''
}

export const NOTHING: Counts = { entered: 0, hung_up: 0, timed_out: 0, invalid: 0, stayed_us: 0, now: 0 }

export function byNode(numbers: FlowNumbers | null): Map<string, NodeNumbers> {
  return new Map(numbers?.nodes.map((each) => [each.node, each]))
}

/** How many calls went along an edge. */
export function along(edge: GraphEdge, nodes: Map<string, NodeNumbers>): number {
  const steps = nodes.get(edge.source)?.steps ?? []
  const left = new Map(steps.map((each) => [each.step, each.left]))
  return edge.ways.reduce((sum, { step, way }) => sum + (left.get(step)?.[way] ?? 0), 0)
}

/** Of all nodes together; entered says how often calls came into the flow at its start. */
export function totals(graph: FlowGraph | null, numbers: FlowNumbers | null): Counts {
  const nodes = numbers?.nodes ?? []
  const sum = (of: (counts: Counts) => number) => nodes.reduce((all, each) => all + of(each), 0)
  const start = graph?.nodes.find((each) => each.is_start)?.id
  return {
    entered: nodes.find((each) => each.node === start)?.entered ?? 0,
    hung_up: sum((each) => each.hung_up),
    timed_out: sum((each) => each.timed_out),
    invalid: sum((each) => each.invalid),
    stayed_us: sum((each) => each.stayed_us),
    now: sum((each) => each.now),
  }
}

/** Nodes that callers went through by another version, and that the flow has no longer. */
export function gone(graph: FlowGraph | null, numbers: FlowNumbers | null): NodeNumbers[] {
  const known = new Set(graph?.nodes.map((each) => each.id))
  return graph === null ? [] : (numbers?.nodes ?? []).filter((each) => !known.has(each.node))
}

/** `64 %`, or a dash without calls. */
export function rateText(found: Containment): string {
  return found.rate === null ? '–' : `${Math.round(found.rate * 100)} %`
}

/** How long a call stayed on average, of those that have left: by a way out or by hanging up. */
export function meanText(counts: StepNumbers | NodeNumbers): string {
  const steps = 'steps' in counts ? counts.steps : [counts]
  const stays = 'steps' in counts ? counts.entered : leftOf(steps) + counts.hung_up
  if (stays === 0) return '–'
  const mean = counts.stayed_us / stays
  return mean < 10_000_000 ? `${(mean / 1_000_000).toFixed(1)} s` : spanText(mean)
}

function leftOf(steps: StepNumbers[]): number {
  return steps.reduce((sum, each) => sum + Object.values(each.left).reduce((all, count) => all + count, 0), 0)
}

const WAYS: Record<string, string> = {
  next: 'Next step',
  flow: 'Into another flow',
  return: 'Back from this flow',
  end: 'Call ended here as designed',
  completed: 'Hung up once it was done',
  goto: 'Onward',
  otherwise: 'Otherwise',
  then: 'Then',
}

/** `keys.1` as `Key 1`; a way that no word is known for as the file has it. */
export function wayText(way: string): string {
  const known = WAYS[way]
  if (known !== undefined) return known
  if (way.startsWith('keys.')) return `Key ${way.slice(5)}`
  if (way.startsWith('returns.')) return `Back with ${way.slice(8)}`
  const words = way.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** What a screen reader says of a node. */
export function spoken(node: GraphNode, counts: Counts): string {
  if (node.is_flow) return `Another flow: ${node.title.replace(/^flow /, '')}`
  return [
    `Node ${node.title}${node.is_start ? ', the start' : ''}`,
    `${countText(counts.now, 'caller', 'callers')} now`,
    `entered ${counts.entered}`,
    countText(counts.hung_up, 'hang-up', 'hang-ups'),
    countText(counts.timed_out, 'time-out', 'time-outs'),
    countText(counts.invalid, 'invalid key', 'invalid keys'),
  ].join(', ')
}
