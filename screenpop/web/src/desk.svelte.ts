/** Joins socket, state and page: what components read and what they may ask for. */

import { tick } from 'svelte'
import { clock } from './clock.svelte'
import { Live } from './live'
import type { FinishRequest, Presence, Request, ServerMessage, UnknownMessage } from './messages'
import { askSession } from './rest'
import { EMPTY, pendingOf, reduce } from './state'
import type { DeskState, Input, Link } from './state'

/** A connected server that shows no effect for this long did not get it, or will not do it. */
const ANSWER_LIMIT_MS = 8_000
/** A frame that never comes (a covered window) must not hold the acknowledgement longer than this. */
const FRAME_LIMIT_MS = 60
/** After a loss, what was missed comes first: it may show that a request was carried out after all. */
const CATCH_UP_MS = 300
/** So much more time for a wrap-up is asked for at once, microseconds. */
const MORE_TIME = 30_000_000
const DRAFT_KEY = 'callyard.wrap-up'

/** What the agent has written about the call in hand; survives a reload of the page. */
export interface Draft {
  interactionId: string
  disposition: string
  note: string
}

export class Desk {
  state = $state.raw<DeskState>(EMPTY)
  draft = $state<Draft>(storedDraft())
  readonly #live: Live
  readonly #onEnd: (reason: string) => void
  readonly #outbox = new Map<string, Request>()
  readonly #answerTimers = new Map<string, number>()
  /** Answers go to every tab of the agent: an id tells whose question it was. */
  readonly #idPrefix = Math.random().toString(36).slice(2, 8)
  #nextId = 1
  #shown = ''
  #catchUp = 0

  constructor(onEnd: (reason: string) => void) {
    this.#onEnd = onEnd
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:'
    this.#live = new Live(
      `${scheme}//${location.host}/api/desk`,
      {
        open: (url) => new WebSocket(url),
        setTimer: (run, ms) => window.setTimeout(run, ms),
        clearTimer: (timer) => window.clearTimeout(timer),
        random: () => Math.random(),
        nowMs: () => Date.now(),
        isOnline: () => navigator.onLine,
        askSession,
      },
      {
        received: (message) => this.#received(message),
        linkChanged: (link) => this.#linkChanged(link),
        sessionLost: () => this.#onEnd('ended'),
      },
    )
  }

  /** Connects; the returned function ends everything. */
  start(): () => void {
    const online = () => this.#live.retryNow()
    const offline = () => this.#live.networkLost()
    window.addEventListener('online', online)
    window.addEventListener('offline', offline)
    this.#live.start()
    return () => {
      window.removeEventListener('online', online)
      window.removeEventListener('offline', offline)
      this.#forgetTimers()
      this.#live.stop()
    }
  }

  /** The server's clock now, microseconds. */
  get now(): number {
    return clock.ms * 1000 + this.state.clockOffset
  }

  choosePresence(presence: Presence, reason = ''): void {
    const { agent } = this.state
    const underWay = pendingOf(this.state, 'presence')
    if (underWay === undefined && agent?.presence === presence && agent.presence_reason === reason) return
    this.#ask({ type: 'presence', presence, reason })
  }

  decline(): void {
    const { work } = this.state
    if (work?.stage === 'offered') this.#ask({ type: 'reject', offer_id: work.offer_id })
  }

  /** Take what is no call; calls are taken by the phone. */
  accept(): void {
    const { work } = this.state
    if (work?.stage === 'offered' && work.medium !== 'voice') this.#ask({ type: 'accept', offer_id: work.offer_id })
  }

  /** What is no call is dealt with: its wrap-up begins. */
  done(): void {
    const { work } = this.state
    if (work?.stage !== 'talking' || work.medium === 'voice') return
    this.#ask({ type: 'done', interaction_id: work.interaction_id })
  }

  chooseCustomer(customerId: string): void {
    const { work } = this.state
    if (work === null) return
    this.#ask({ type: 'choose_customer', interaction_id: work.interaction_id, customer_id: customerId })
  }

  finish(request: Omit<FinishRequest, 'type'>): void {
    this.#ask({ type: 'finish', ...request })
  }

  /** How much longer the wrap-up in hand may get at once; 0 when it may not. */
  get moreTime(): number {
    const { agent, work } = this.state
    if (work?.stage !== 'wrap_up' || agent?.interaction_id !== work.interaction_id || work.deadline === 0) return 0
    return Math.max(0, Math.min(MORE_TIME, agent.latest - work.deadline))
  }

  askMoreTime(): void {
    const { work } = this.state
    const more = this.moreTime
    if (work === null || more === 0 || pendingOf(this.state, 'more_time') !== undefined) return
    this.#ask({ type: 'more_time', interaction_id: work.interaction_id, until: work.deadline + more })
  }

  dismiss(id: string): void {
    this.#apply({ kind: 'dismissed', id })
  }

  /** A notice of the page's own. */
  say(text: string): void {
    this.#apply({ kind: 'noted', notice: { id: `said-${this.#nextId++}`, tone: 'error', text } })
  }

  retryNow(): void {
    this.#live.retryNow()
  }

  #apply(input: Input): void {
    this.state = reduce(this.state, input)
    const open = new Set(this.state.pending.map((p) => p.id))
    for (const id of this.#outbox.keys()) {
      if (!open.has(id)) this.#forget(id)
    }
  }

  #ask(request: Request): void {
    const id = `${this.#idPrefix}-${this.#nextId++}`
    this.#outbox.set(id, request)
    this.#apply({ kind: 'asked', id, request })
    this.#transmit(id, request)
  }

  #transmit(id: string, request: Request): void {
    if (!this.#live.send({ ...request, id })) return
    this.#apply({ kind: 'sent', id })
    window.clearTimeout(this.#answerTimers.get(id))
    const timer = window.setTimeout(() => this.#apply({ kind: 'unanswered', id }), ANSWER_LIMIT_MS)
    this.#answerTimers.set(id, timer)
  }

  #forget(id: string): void {
    this.#outbox.delete(id)
    window.clearTimeout(this.#answerTimers.get(id))
    this.#answerTimers.delete(id)
  }

  #received(message: ServerMessage | UnknownMessage): void {
    this.#apply({ kind: 'message', message, at: Date.now() * 1000 })
    this.#matchDraft()
    if (message.type === 'offer' || message.type === 'snapshot') void this.#acknowledgePop()
    if (message.type === 'signed_out') {
      this.#live.stop()
      this.#onEnd(message.reason)
    }
  }

  #linkChanged(link: Link): void {
    this.#apply({ kind: 'link', link })
    this.#forgetTimers()
    if (link.word !== 'connected') return
    void this.#acknowledgePop()
    this.#catchUp = window.setTimeout(() => this.#resend(), CATCH_UP_MS)
  }

  /** What was asked while away, or lost on the way: each names its target, so twice does no harm. */
  #resend(): void {
    for (const [id, request] of [...this.#outbox]) this.#transmit(id, request)
  }

  #forgetTimers(): void {
    window.clearTimeout(this.#catchUp)
    for (const timer of this.#answerTimers.values()) window.clearTimeout(timer)
    this.#answerTimers.clear()
  }

  /** The draft belongs to the interaction in hand, and to no other. */
  #matchDraft(): void {
    const interactionId = this.state.work?.interaction_id ?? ''
    if (interactionId !== this.draft.interactionId) this.write({ interactionId, disposition: '', note: '' })
  }

  write(draft: Draft): void {
    this.draft = draft
    if (draft.disposition === '' && draft.note === '') sessionStorage.removeItem(DRAFT_KEY)
    else sessionStorage.setItem(DRAFT_KEY, JSON.stringify(draft))
  }

  /** Tells the server that the pop is on the screen, once per offer, and leaves the page's own mark. */
  async #acknowledgePop(): Promise<void> {
    const offerId = this.state.work?.stage === 'offered' ? this.state.work.offer_id : ''
    if (offerId === '' || offerId === this.#shown) return
    await tick()
    if (!document.hidden) await nextFrame()
    if (document.querySelector(`[data-offer="${CSS.escape(offerId)}"]`) === null) return
    document.documentElement.dataset['shownOffer'] = offerId
    performance.mark(`shown:${offerId}`)
    if (this.#live.send({ type: 'shown', offer_id: offerId, id: 'shown' })) this.#shown = offerId
  }
}

function storedDraft(): Draft {
  const empty = { interactionId: '', disposition: '', note: '' }
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(DRAFT_KEY) ?? 'null')
    return typeof stored === 'object' && stored !== null ? { ...empty, ...stored } : empty
  } catch {
    return empty
  }
}

function nextFrame(): Promise<void> {
  return new Promise((resolve) => {
    requestAnimationFrame(() => resolve())
    window.setTimeout(resolve, FRAME_LIMIT_MS)
  })
}
