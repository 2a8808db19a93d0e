/**
 * The wire, as docs/api.md writes it: what the server sends, what a desktop sends.
 * Instants (`…_at`, `since`, `deadline`, `now`) are microseconds since the epoch, UTC; 0 or null means none.
 */

export type Presence = 'ready' | 'not_ready' | 'logged_out'
export type Phone = 'free' | 'busy' | 'gone'
export type AgentWord =
  | 'logged_out'
  | 'not_ready'
  | 'ready'
  | 'reserved'
  | 'talking'
  | 'wrap_up'
  | 'phone_busy'
  | 'phone_gone'
  | 'desktop_gone'
export type Stage = 'offered' | 'talking' | 'wrap_up'
export type Match = 'none' | 'one' | 'several' | 'withheld' | 'unavailable'
export type OfferOutcome = 'accepted' | 'rejected' | 'expired' | 'withdrawn' | 'failed'

export interface Choice {
  code: string
  title: string
}

export interface Me {
  id: string
  name: string
  extension: string
  roles: string[]
  queues: string[]
}

export interface Agent {
  state: AgentWord
  reason: string
  since: number
  presence: Presence
  presence_reason: string
  phone: Phone
  desktop: 'there' | 'gone'
  interaction_id: string
  deadline: number
  /** How late `deadline` may become in a wrap-up that is extended; 0 when there is none. */
  latest: number
}

export interface Customer {
  id: string
  name: string
  company: string
  account: string
  language: string
  vip: boolean
  note: string
  numbers: string[]
}

export interface PastInteraction {
  interaction_id: string
  at: number
  queue: string
  outcome: string
  agent: string
  disposition: string
  note: string
  promised: boolean
}

/** (label, value) in ranking order. */
export type Pairs = [string, number | string][]

export interface WhyMe {
  rule: string
  key: Pairs
  runner_up: string | null
  passed_over: Pairs
}

export interface Work {
  interaction_id: string
  offer_id: string
  stage: Stage
  queue: string
  queue_title: string
  caller: string
  /** The number as a person writes it; empty when withheld. */
  caller_text: string
  caller_kind: 'number' | 'internal' | 'withheld' | 'unreadable'
  dialled: string
  flow: string
  priority: number
  arrived_at: number
  first_asked_at: number
  since: number
  deadline: number
  attributes: Record<string, string>
  reason: WhyMe | null
  match: Match
  customer: Customer | null
  candidates: Customer[]
  history: PastInteraction[]
  /** We promised them a call and are making it: the phone rings once they have answered. */
  calling_back: boolean
  /** What is not `voice` is accepted and put down here; the recording of a `message` is played. */
  medium: string
}

export interface QueueTotals {
  queue: string
  title: string
  waiting: number
  oldest_asked_at: number
  agents_ready: number
  agents_signed_in: number
}

/** An order in force. `target`: a queue, or a number; empty: all numbers. */
export interface Emergency {
  id: number
  kind: 'close_queue' | 'close_number' | 'notice'
  target: string
  texts: Record<string, string>
  keep_waiting: boolean
  /** 0: until somebody ends it. */
  ends_at: number
  reason: string
}

interface Numbered {
  seq: number
  now: number
}

export type Snapshot = Numbered & {
  type: 'snapshot'
  stream: string
  me: Me
  /** null for somebody who is no agent. */
  agent: Agent | null
  work: Work | null
  queues: QueueTotals[]
  reasons: Choice[]
  dispositions: Choice[]
  emergencies: Emergency[]
}
export type AgentMessage = Numbered & { type: 'agent' } & Agent
export type OfferMessage = Numbered & { type: 'offer'; work: Work }
export type OfferEnded = Numbered & {
  type: 'offer_ended'
  offer_id: string
  outcome: OfferOutcome
  detail: string
}
export type WorkMessage = Numbered & { type: 'work'; work: Work | null }
export type QueuesMessage = Numbered & { type: 'queues'; queues: QueueTotals[] }
export type EmergenciesMessage = Numbered & { type: 'emergencies'; emergencies: Emergency[] }
export type ErrorMessage = Numbered & { type: 'error'; code: string; message: string; reply_to: string | null }
export type SignedOut = Numbered & { type: 'signed_out'; reason: string }

export type ServerMessage =
  | Snapshot
  | AgentMessage
  | OfferMessage
  | OfferEnded
  | WorkMessage
  | QueuesMessage
  | EmergenciesMessage
  | ErrorMessage
  | SignedOut

/** A message of a kind this page does not know yet: counted, not shown. */
export type UnknownMessage = Numbered & { type: 'unknown' }

const KNOWN = new Set([
  'snapshot', 'agent', 'offer', 'offer_ended', 'work', 'queues', 'emergencies', 'error', 'signed_out',
])

/** One text frame as a message, or null when it is none (not JSON, no number, no type). */
export function parseMessage(text: unknown): ServerMessage | UnknownMessage | null {
  if (typeof text !== 'string') return null
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { seq, type, now } = value as Record<string, unknown>
  if (typeof seq !== 'number' || typeof now !== 'number' || typeof type !== 'string') return null
  return KNOWN.has(type) ? (value as ServerMessage) : { type: 'unknown', seq, now }
}

export type ShownRequest = { type: 'shown'; offer_id: string }
export type SeenRequest = { type: 'seen'; seq: number }
export type PresenceRequest = { type: 'presence'; presence: Presence; reason: string }
/** Take what is no call. */
export type AcceptRequest = { type: 'accept'; offer_id: string }
/** What is no call is dealt with. */
export type DoneRequest = { type: 'done'; interaction_id: string }
export type RejectRequest = { type: 'reject'; offer_id: string }
export type FinishRequest = { type: 'finish'; interaction_id: string; disposition: string; note: string }
/** `until`: the end that is wanted, so that what is sent twice asks for nothing more. */
export type MoreTimeRequest = { type: 'more_time'; interaction_id: string; until: number }
export type ChooseRequest = { type: 'choose_customer'; interaction_id: string; customer_id: string }

/** What a person asked for: kept as pending until the server's state shows it. */
export type Request =
  | PresenceRequest
  | AcceptRequest
  | RejectRequest
  | DoneRequest
  | FinishRequest
  | MoreTimeRequest
  | ChooseRequest
export type DesktopMessage = (Request | ShownRequest | SeenRequest) & { id?: string }
