/** The numbers of the flow on the screen, read again every 2 s (of many days: 10 s) while the page is visible. */

import { ask, byNode, type FlowGraph, type FlowLine, type FlowNumbers, type NodeNumbers } from './numbers'

const EVERY_MS = 2_000
/** The list and the sums of many days change slowly, and are more work for the server. */
const SLOWLY = 5

export type Span = 'today' | 'week' | 'month'
const DAYS: Record<Span, number> = { today: 0, week: 7, month: 30 }

export class LiveNumbers {
  flows = $state.raw<FlowLine[] | null>(null)
  graph = $state.raw<FlowGraph | null>(null)
  numbers = $state.raw<FlowNumbers | null>(null)
  flow = $state('')
  span = $state<Span>('today')
  version = $state('')
  /** Why the last question was not answered; empty when it was. */
  trouble = $state('')
  readonly nodes: Map<string, NodeNumbers> = $derived(byNode(this.numbers))
  readonly #now: () => number
  #turn = 0
  #asked = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Reads until the returned function is called. */
  start(): () => void {
    const read = () => {
      if (document.hidden) return
      const due = this.#turn % SLOWLY === 0
      this.#turn += 1
      if (due) void this.readFlows()
      if (this.flow !== '' && (due || this.span === 'today')) void this.readNumbers()
    }
    read()
    const timer = window.setInterval(read, EVERY_MS)
    document.addEventListener('visibilitychange', read)
    return () => {
      window.clearInterval(timer)
      document.removeEventListener('visibilitychange', read)
    }
  }

  async choose(flow: string): Promise<void> {
    if (flow === this.flow) return
    this.flow = flow
    this.version = ''
    this.graph = null
    this.numbers = null
    await Promise.all([this.readGraph(), this.readNumbers()])
  }

  async readFlows(): Promise<void> {
    const answer = await ask<FlowLine[]>('/api/flows')
    this.#note(answer)
    if (!answer.ok) return
    this.flows = answer.value
    const here = answer.value.find((each) => each.flow === this.flow)
    if (here !== undefined && this.graph !== null && here.version !== this.graph.version) await this.readGraph()
  }

  async readGraph(): Promise<void> {
    const flow = this.flow
    const answer = await ask<FlowGraph>(`/api/flows/${encodeURIComponent(flow)}/graph`)
    this.#note(answer)
    if (answer.ok && flow === this.flow) this.graph = answer.value
  }

  /** An answer that comes after a newer question is dropped. */
  async readNumbers(): Promise<void> {
    const turn = ++this.#asked
    const query = new URLSearchParams()
    const days = DAYS[this.span]
    if (days > 0) query.set('since', String(Math.round(this.#now()) - days * 86_400_000_000))
    if (this.version !== '') query.set('version', this.version)
    const answer = await ask<FlowNumbers>(`/api/flows/${encodeURIComponent(this.flow)}/numbers?${query.toString()}`)
    if (turn !== this.#asked) return
    this.#note(answer)
    if (answer.ok) this.numbers = answer.value
  }

  #note(answer: { ok: boolean; status?: number }): void {
    if (answer.ok) this.trouble = ''
    else if (answer.status === 403) this.trouble = 'Only supervisors and admins may see flows.'
    else this.trouble = 'The server did not answer. These are the last known numbers.'
  }
}
