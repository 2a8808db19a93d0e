/**
 * What the desktop knows: a pure function of what came in. No clock, no socket, no DOM.
 *
 * A request stays `pending` until the server's own messages show its effect, refuse it, or make it moot;
 * nothing is shown as done because it was clicked.
 */

import type {
  Agent,
  Choice,
  Emergency,
  Me,
  OfferEnded,
  QueueTotals,
  Request,
  ServerMessage,
  Snapshot,
  UnknownMessage,
  Work,
} from './messages'

export type Link =
  | { word: 'connecting' }
  | { word: 'connected' }
  /** `retryAt`: local milliseconds of the next attempt. */
  | { word: 'reconnecting'; retryAt: number; attempts: number }
  | { word: 'offline' }

export interface Pending {
  id: string
  request: Request
  /** Handed to a connection that has been up ever since. */
  sent: boolean
}

export type NoticeTone = 'info' | 'warning' | 'error'

export interface Notice {
  id: string
  tone: NoticeTone
  text: string
}

export interface DeskState {
  link: Link
  stream: string
  seq: number
  /** Server's clock minus ours, microseconds. */
  clockOffset: number
  me: Me | null
  agent: Agent | null
  work: Work | null
  queues: QueueTotals[]
  reasons: Choice[]
  dispositions: Choice[]
  emergencies: Emergency[]
  pending: Pending[]
  notices: Notice[]
  /** When the call in hand was answered, once known. */
  answered: { interactionId: string; at: number } | null
  /** Local microseconds of the last message: how old what is shown may be. */
  heardAt: number
  /** Why the session ended, once it has. */
  signedOut: string | null
}

export type Input =
  /** `at`: local microseconds when it came. */
  | { kind: 'message'; message: ServerMessage | UnknownMessage; at: number }
  | { kind: 'link'; link: Link }
  | { kind: 'asked'; id: string; request: Request }
  | { kind: 'sent'; id: string }
  /** The server was connected and said nothing about it for too long. */
  | { kind: 'unanswered'; id: string }
  | { kind: 'noted'; notice: Notice }
  | { kind: 'dismissed'; id: string }

export const MAX_NOTICES = 4

export const EMPTY: DeskState = {
  link: { word: 'connecting' },
  stream: '',
  seq: 0,
  clockOffset: 0,
  me: null,
  agent: null,
  work: null,
  queues: [],
  reasons: [],
  dispositions: [],
  emergencies: [],
  pending: [],
  notices: [],
  answered: null,
  heardAt: 0,
  signedOut: null,
}

export function reduce(state: DeskState, input: Input): DeskState {
  switch (input.kind) {
    case 'message':
      return settle(timed(receive(state, input.message, input.at), input.at))
    case 'link':
      return linkChanged(state, input.link)
    case 'asked': {
      const others = state.pending.filter((p) => !replaces(input.request, p.request))
      return { ...state, pending: [...others, { id: input.id, request: input.request, sent: false }] }
    }
    case 'sent':
      return { ...state, pending: state.pending.map((p) => (p.id === input.id ? { ...p, sent: true } : p)) }
    case 'unanswered':
      return unanswered(state, input.id)
    case 'noted':
      return noted(state, input.notice)
    case 'dismissed':
      return { ...state, notices: state.notices.filter((notice) => notice.id !== input.id) }
  }
}

function receive(state: DeskState, message: ServerMessage | UnknownMessage, at: number): DeskState {
  if (message.type === 'snapshot') return fromSnapshot(state, message, at)
  if (message.seq <= state.seq) return state
  const next = { ...state, seq: message.seq, clockOffset: Math.max(state.clockOffset, message.now - at) }
  switch (message.type) {
    case 'agent': {
      const { type: _type, seq: _seq, now: _now, ...agent } = message
      return { ...next, agent }
    }
    case 'offer':
      return { ...next, work: message.work, notices: [] }
    case 'offer_ended':
      return offerEnded(next, message)
    case 'work':
      return { ...next, work: message.work }
    case 'queues':
      return { ...next, queues: message.queues }
    case 'emergencies':
      return { ...next, emergencies: message.emergencies }
    case 'error':
      return refused(next, message.reply_to ?? '', message.message, `error-${message.seq}`)
    case 'signed_out':
      return { ...next, signedOut: message.reason, pending: [] }
    case 'unknown':
      return next
  }
}

function fromSnapshot(state: DeskState, message: Snapshot, at: number): DeskState {
  const { stream, seq, me, agent, work, queues, reasons, dispositions, emergencies } = message
  return {
    ...state,
    stream,
    seq,
    me,
    agent,
    work,
    queues,
    reasons,
    dispositions,
    emergencies,
    clockOffset: message.now - at,
    signedOut: null,
  }
}

/** Remembers when the call in hand was answered: in wrap-up the work no longer says it. */
function timed(state: DeskState, at: number): DeskState {
  const { work } = state
  const answered =
    work === null
      ? null
      : work.stage === 'talking'
        ? { interactionId: work.interaction_id, at: work.since }
        : state.answered?.interactionId === work.interaction_id
          ? state.answered
          : null
  return { ...state, answered, heardAt: at }
}

const OFFER_ENDED_TEXT: Record<string, { tone: NoticeTone; text: string }> = {
  expired: { tone: 'warning', text: 'Not answered in time. The caller kept their place in the queue.' },
  withdrawn: { tone: 'info', text: 'The call was withdrawn before you answered: the caller left or went elsewhere.' },
  failed: { tone: 'error', text: 'Your phone could not be rung. The caller kept their place in the queue.' },
  rejected: { tone: 'info', text: 'Declined. The caller kept their place in the queue.' },
}

const MESSAGE_ENDED_TEXT: typeof OFFER_ENDED_TEXT = {
  expired: { tone: 'warning', text: 'Not accepted in time. The message kept its place in the queue.' },
  withdrawn: { tone: 'info', text: 'The message went back to the queue before you accepted it.' },
  rejected: { tone: 'info', text: 'Declined. The message kept its place in the queue.' },
}

const ANSWERED_BY_COLLEAGUE = 'A colleague whose phone rang too has answered this call.'

const NOT_REACHED = 'The customer could not be connected. They are called again later if the promise still stands.'

function offerEnded(state: DeskState, message: OfferEnded): DeskState {
  const held = state.work?.offer_id === message.offer_id && state.work.stage === 'offered'
  const work = held && message.outcome !== 'accepted' ? null : state.work
  const isMessage = held && state.work?.medium === 'message'
  const said = (isMessage ? MESSAGE_ENDED_TEXT : OFFER_ENDED_TEXT)[message.outcome]
  // What was taken back because a call came instead is no news.
  if (said === undefined || (!held && state.work !== null && message.outcome === 'withdrawn')) return { ...state, work }
  const id = `ended-${message.offer_id}`
  if (held && state.work?.calling_back === true && message.outcome !== 'rejected') {
    return noted({ ...state, work }, { id, tone: 'info', text: NOT_REACHED })
  }
  const text = message.detail === 'answered_by_colleague' ? ANSWERED_BY_COLLEAGUE : said.text
  return noted({ ...state, work }, { id, ...said, text })
}

/** A connection that broke may have swallowed what was sent on it. */
function linkChanged(state: DeskState, link: Link): DeskState {
  if (link.word === 'connected') return { ...state, link }
  return { ...state, link, pending: state.pending.map((p) => ({ ...p, sent: false })) }
}

/** An answer to what is settled already (sent twice over a broken link) is no news. */
function refused(state: DeskState, replyTo: string, text: string, id: string): DeskState {
  if (replyTo !== '' && !state.pending.some((p) => p.id === replyTo)) return state
  const pending = state.pending.filter((p) => p.id !== replyTo)
  return noted({ ...state, pending }, { id, tone: 'error', text })
}

function unanswered(state: DeskState, id: string): DeskState {
  const lost = state.pending.find((p) => p.id === id)
  if (lost === undefined) return state
  return refused(state, id, `The server did not confirm: ${requestText(lost.request)}. Try again.`, `lost-${id}`)
}

function noted(state: DeskState, notice: Notice): DeskState {
  const others = state.notices.filter((other) => other.id !== notice.id)
  return { ...state, notices: [...others, notice].slice(-MAX_NOTICES) }
}

/** Drops what the server's state now shows as done, or has made moot. */
function settle(state: DeskState): DeskState {
  const pending = state.pending.filter((p) => !isSettled(state, p.request))
  if (pending.length === state.pending.length) return state
  return state.pending
    .filter((p) => !p.sent && !pending.includes(p))
    .reduce(mournUnsent, { ...state, pending })
}

/** A wrap-up that ended before what was written in it could be handed over is said, with the words. */
function mournUnsent(state: DeskState, { id, request }: Pending): DeskState {
  if (request.type !== 'finish' || (request.note === '' && request.disposition === '')) return state
  const written = [request.disposition, request.note].filter((part) => part !== '').join(' · ')
  const text = `The wrap-up ended while the connection was away; this may not have been saved: ${written}`
  return noted(state, { id: `unsent-${id}`, tone: 'warning', text })
}

function isSettled({ agent, work }: DeskState, request: Request): boolean {
  switch (request.type) {
    case 'presence':
      return agent?.presence === request.presence && agent.presence_reason === request.reason
    case 'accept':
    case 'reject':
      return work?.offer_id !== request.offer_id || work.stage !== 'offered'
    case 'done':
      return work?.interaction_id !== request.interaction_id || work.stage !== 'talking'
    case 'finish':
      return work?.interaction_id !== request.interaction_id
    case 'more_time':
      return work?.interaction_id !== request.interaction_id || work.deadline >= request.until
    case 'choose_customer':
      return work?.interaction_id !== request.interaction_id || work.customer?.id === request.customer_id
  }
}

/** A second presence replaces the first, and so on: at most one of each kind is under way. */
function replaces(newer: Request, older: Request): boolean {
  return newer.type === older.type
}

export function requestText(request: Request): string {
  switch (request.type) {
    case 'presence':
      return { ready: 'going ready', not_ready: 'going not ready', logged_out: 'signing off' }[request.presence]
    case 'accept':
      return 'accepting the message'
    case 'done':
      return 'ending the message'
    case 'reject':
      return 'declining'
    case 'finish':
      return 'finishing the wrap-up'
    case 'more_time':
      return 'asking for more time'
    case 'choose_customer':
      return 'choosing the caller’s record'
  }
}

export function pendingOf<T extends Request['type']>(
  state: DeskState,
  type: T,
): Extract<Request, { type: T }> | undefined {
  const found = state.pending.find((p) => p.request.type === type)
  return found?.request as Extract<Request, { type: T }> | undefined
}
