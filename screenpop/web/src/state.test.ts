import { describe, expect, test } from 'vitest'
import type { Agent, Emergency, Request, ServerMessage, Work } from './messages'
import { parseMessage } from './messages'
import { EMPTY, MAX_NOTICES, pendingOf, reduce, type DeskState } from './state'

const AGENT: Agent = {
  state: 'ready',
  reason: '',
  since: 10,
  presence: 'ready',
  presence_reason: '',
  phone: 'free',
  desktop: 'there',
  interaction_id: '',
  deadline: 0,
  latest: 0,
}

const WORK: Work = {
  interaction_id: 'i1',
  offer_id: 'i1/1',
  stage: 'offered',
  queue: 'billing',
  queue_title: 'Billing',
  caller: '+12025550143',
  caller_text: '+1 202-555-0143',
  caller_kind: 'number',
  dialled: '+12025550100',
  flow: 'main',
  priority: 0,
  arrived_at: 1,
  first_asked_at: 2,
  since: 3,
  deadline: 20_000_003,
  attributes: {},
  reason: null,
  match: 'none',
  customer: null,
  candidates: [],
  history: [],
  calling_back: false,
  medium: 'voice',
}

const SNAPSHOT: ServerMessage = {
  type: 'snapshot',
  seq: 5,
  now: 1_000,
  stream: 's1',
  me: { id: 'maria', name: 'Maria', extension: '2001', roles: ['agent'], queues: ['billing'] },
  agent: AGENT,
  work: null,
  queues: [],
  reasons: [],
  dispositions: [],
  emergencies: [],
}

function after(state: DeskState, ...messages: ServerMessage[]): DeskState {
  return messages.reduce((before, message) => reduce(before, { kind: 'message', message, at: message.now }), state)
}

function asked(state: DeskState, id: string, request: Request, sent = true): DeskState {
  const waiting = reduce(state, { kind: 'asked', id, request })
  return sent ? reduce(waiting, { kind: 'sent', id }) : waiting
}

const START = reduce(after(EMPTY, SNAPSHOT), { kind: 'link', link: { word: 'connected' } })

describe('messages', () => {
  test('a snapshot replaces everything and sets the clock', () => {
    const state = reduce(EMPTY, { kind: 'message', message: SNAPSHOT, at: 400 })
    expect(state).toMatchObject({ stream: 's1', seq: 5, agent: AGENT, work: null, clockOffset: 600, heardAt: 400 })
  })

  test('a number that was received before changes nothing', () => {
    const state = after(START, { type: 'offer', seq: 5, now: 2_000, work: WORK })
    expect(state.work).toBeNull()
  })

  test('an agent message carries the state and nothing of the envelope', () => {
    const state = after(START, { type: 'agent', seq: 6, now: 2_000, ...AGENT, state: 'reserved' })
    expect(state.agent).toEqual({ ...AGENT, state: 'reserved' })
  })

  test('an offer shows the work; its end takes it away and says why', () => {
    const offered = after(START, { type: 'offer', seq: 6, now: 2_000, work: WORK })
    expect(offered.work?.offer_id).toBe('i1/1')
    const ended = after(offered, { type: 'offer_ended', seq: 7, now: 3_000, offer_id: 'i1/1', outcome: 'expired', detail: '' })
    expect(ended.work).toBeNull()
    expect(ended.notices.map((notice) => notice.text)).toEqual([
      'Not answered in time. The caller kept their place in the queue.',
    ])
  })

  test('a call that a colleague answered is said so', () => {
    const offered = after(START, { type: 'offer', seq: 6, now: 2_000, work: WORK })
    const told = { offer_id: 'i1/1', outcome: 'withdrawn', detail: 'answered_by_colleague' } as const
    const state = after(offered, { type: 'offer_ended', seq: 7, now: 3_000, ...told })
    expect(state.work).toBeNull()
    expect(state.notices.map((notice) => notice.text)).toEqual([
      'A colleague whose phone rang too has answered this call.',
    ])
  })

  test('an accepted offer stays on the screen without a word', () => {
    const offered = after(START, { type: 'offer', seq: 6, now: 2_000, work: WORK })
    const state = after(offered, { type: 'offer_ended', seq: 7, now: 3_000, offer_id: 'i1/1', outcome: 'accepted', detail: '' })
    expect(state.work).toEqual(WORK)
    expect(state.notices).toEqual([])
  })

  test('the end of an older offer does not take the newer one away', () => {
    const offered = after(START, { type: 'offer', seq: 6, now: 2_000, work: { ...WORK, offer_id: 'i1/2' } })
    const state = after(offered, { type: 'offer_ended', seq: 7, now: 3_000, offer_id: 'i1/1', outcome: 'withdrawn', detail: '' })
    expect(state.work?.offer_id).toBe('i1/2')
  })

  test('the time of the answer is remembered through wrap-up and forgotten after', () => {
    const talking = after(START, { type: 'work', seq: 6, now: 2_000, work: { ...WORK, stage: 'talking', since: 777 } })
    const wrapUp = after(talking, { type: 'work', seq: 7, now: 3_000, work: { ...WORK, stage: 'wrap_up', since: 999 } })
    expect(wrapUp.answered).toEqual({ interactionId: 'i1', at: 777 })
    expect(after(wrapUp, { type: 'work', seq: 8, now: 4_000, work: null }).answered).toBeNull()
  })

  test('an unknown kind counts and changes nothing else', () => {
    const message = parseMessage('{"type":"weather","seq":6,"now":2000}')
    expect(message).toEqual({ type: 'unknown', seq: 6, now: 2000 })
    if (message === null) throw new Error('not parsed')
    const state = reduce(START, { kind: 'message', message, at: 2_000 })
    expect(state).toEqual({ ...START, seq: 6, heardAt: 2_000 })
  })

  test.each(['', 'x', '[]', 'null', '{}', '{"seq":"1","type":"agent","now":1}', 7])('%j is no message', (text) =>
    expect(parseMessage(text)).toBeNull(),
  )
})

describe('what was asked', () => {
  const ready: Request = { type: 'presence', presence: 'not_ready', reason: 'lunch' }
  const finish: Request = { type: 'finish', interaction_id: 'i1', disposition: 'solved', note: 'refund' }
  const wrapUp = after(START, { type: 'work', seq: 6, now: 2_000, work: { ...WORK, stage: 'wrap_up' } })

  test('is pending until the state shows it', () => {
    const state = asked(START, 'r1', ready)
    expect(pendingOf(state, 'presence')).toEqual(ready)
    const other = after(state, { type: 'agent', seq: 6, now: 2_000, ...AGENT, presence: 'not_ready', presence_reason: 'no_answer' })
    expect(pendingOf(other, 'presence')).toEqual(ready)
    const done = after(state, { type: 'agent', seq: 6, now: 2_000, ...AGENT, presence: 'not_ready', presence_reason: 'lunch' })
    expect(done.pending).toEqual([])
  })

  test('the latest of a kind replaces the one before', () => {
    const state = asked(asked(START, 'r1', ready), 'r2', { type: 'presence', presence: 'ready', reason: '' })
    expect(state.pending.map((p) => p.id)).toEqual(['r2'])
  })

  test('a refusal ends it and is told', () => {
    const refused = after(asked(START, 'r1', ready), {
      type: 'error', seq: 6, now: 2_000, code: 'unknown_reason', message: 'no reason "lunch"', reply_to: 'r1',
    })
    expect(refused.pending).toEqual([])
    expect(refused.notices).toMatchObject([{ tone: 'error', text: 'no reason "lunch"' }])
  })

  test('a refusal of what is settled already is no news', () => {
    const state = after(START, { type: 'error', seq: 6, now: 2_000, code: 'late', message: 'too late', reply_to: 'r1' })
    expect(state.notices).toEqual([])
  })

  test('a connected server that never answers is told, in words', () => {
    const state = reduce(asked(START, 'r1', ready), { kind: 'unanswered', id: 'r1' })
    expect(state.pending).toEqual([])
    expect(state.notices[0]?.text).toContain('going not ready')
  })

  test('a finish is done when the work is gone', () => {
    const done = after(asked(wrapUp, 'r1', finish), { type: 'work', seq: 7, now: 3_000, work: null })
    expect(done).toMatchObject({ pending: [], notices: [], work: null })
  })

  test('more time is given when the wrap-up lasts as long as was asked, or moot when it is over', () => {
    const request: Request = { type: 'more_time', interaction_id: 'i1', until: 90 }
    const state = asked({ ...wrapUp, work: { ...WORK, stage: 'wrap_up', deadline: 60 } }, 'r1', request)
    expect(pendingOf(state, 'more_time')).toEqual(request)
    const work: Work = { ...WORK, stage: 'wrap_up', deadline: 90 }
    expect(after(state, { type: 'work', seq: 7, now: 3_000, work }).pending).toEqual([])
    expect(after(state, { type: 'work', seq: 7, now: 3_000, work: null }).pending).toEqual([])
  })

  test('a wrap-up that ended before its note could be sent is told, with the note', () => {
    const away = asked(reduce(wrapUp, { kind: 'link', link: { word: 'offline' } }), 'r1', finish, false)
    const back = after(reduce(away, { kind: 'link', link: { word: 'connected' } }), { type: 'work', seq: 7, now: 3_000, work: null })
    expect(back.pending).toEqual([])
    expect(back.notices[0]?.text).toContain('solved · refund')
  })

  test('a broken connection may have swallowed what was sent on it', () => {
    const state = reduce(asked(wrapUp, 'r1', finish), { kind: 'link', link: { word: 'reconnecting', retryAt: 1, attempts: 1 } })
    expect(state.pending).toEqual([{ id: 'r1', request: finish, sent: false }])
  })
})

test('what is in force is what was told last', () => {
  const order: Emergency = {
    id: 1, kind: 'notice', target: '', texts: { en: 'Hi' }, keep_waiting: false, ends_at: 0, reason: '',
  }
  const told = after(START, { type: 'emergencies', seq: 6, now: 6, emergencies: [order] })
  expect(told.emergencies).toEqual([order])
  expect(after(told, { ...SNAPSHOT, seq: 9 }).emergencies).toEqual([])
})

test('notices are bounded and can be dismissed', () => {
  let state = START
  for (let seq = 6; seq < 6 + 2 * MAX_NOTICES; seq += 1) {
    state = after(state, { type: 'error', seq, now: seq, code: 'x', message: `refusal ${seq}`, reply_to: null })
  }
  expect(state.notices).toHaveLength(MAX_NOTICES)
  const [first] = state.notices
  expect(reduce(state, { kind: 'dismissed', id: first?.id ?? '' }).notices).toHaveLength(MAX_NOTICES - 1)
})

describe('a customer who is called back', () => {
  const CALLING = { ...WORK, calling_back: true }
  const OFFERED = after(START, { type: 'offer', seq: 6, now: 2_000, work: CALLING })
  const ended = (outcome: 'withdrawn' | 'expired' | 'failed' | 'rejected'): ServerMessage => ({
    type: 'offer_ended', seq: 7, now: 3_000, offer_id: 'i1/1', outcome, detail: 'busy',
  })

  test('is being called until the server says that they are on the line', () => {
    expect(OFFERED.work?.calling_back).toBe(true)
    const answered = after(OFFERED, { type: 'work', seq: 7, now: 3_000, work: { ...CALLING, calling_back: false } })
    expect(answered.work).toMatchObject({ stage: 'offered', calling_back: false })
  })

  test('and is not reached: no caller has left, and nobody failed to pick up', () => {
    for (const outcome of ['withdrawn', 'expired', 'failed'] as const) {
      const state = after(OFFERED, ended(outcome))
      expect(state.work).toBeNull()
      expect(state.notices).toMatchObject([{ tone: 'info', text: expect.stringContaining('could not be connected') }])
    }
  })

  test('and the agent declines: as with any call', () => {
    expect(after(OFFERED, ended('rejected')).notices[0]?.text).toContain('Declined')
  })

  test('once they are on the line it ends like any call', () => {
    const answered = after(OFFERED, { type: 'work', seq: 7, now: 3_000, work: WORK })
    const expired = after(answered, { ...ended('expired'), seq: 8 } as ServerMessage)
    expect(expired.notices[0]?.text).toContain('Not answered in time')
  })
})

describe('messages', () => {
  const message: Work = { ...WORK, medium: 'message' }
  const offered = reduce(EMPTY, { kind: 'message', at: 0, message: { type: 'offer', seq: 1, now: 0, work: message } })

  test('accepting waits for the server, and so does putting it down', () => {
    const asked = reduce(offered, { kind: 'asked', id: 'a', request: { type: 'accept', offer_id: 'i1/1' } })
    expect(pendingOf(asked, 'accept')).toBeDefined()
    const talking: Work = { ...message, stage: 'talking' }
    const taken = reduce(asked, { kind: 'message', at: 0, message: { type: 'work', seq: 2, now: 0, work: talking } })
    expect(pendingOf(taken, 'accept')).toBeUndefined()
    const ending = reduce(taken, { kind: 'asked', id: 'b', request: { type: 'done', interaction_id: 'i1' } })
    expect(pendingOf(ending, 'done')).toBeDefined()
    const over: Work = { ...message, stage: 'wrap_up' }
    const done = reduce(ending, { kind: 'message', at: 0, message: { type: 'work', seq: 3, now: 0, work: over } })
    expect(pendingOf(done, 'done')).toBeUndefined()
  })

  test('one that was not accepted is said in its own words', () => {
    const ended: ServerMessage = { type: 'offer_ended', seq: 2, now: 0, offer_id: 'i1/1', outcome: 'expired', detail: '' }
    const after = reduce(offered, { kind: 'message', at: 0, message: ended })
    expect(after.notices[0]?.text).toBe('Not accepted in time. The message kept its place in the queue.')
  })

  test('one that makes way for a call is no news', () => {
    const call: Work = { ...WORK, interaction_id: 'i2', offer_id: 'i2/1' }
    const ringing = reduce(offered, { kind: 'message', at: 0, message: { type: 'offer', seq: 2, now: 0, work: call } })
    const ended: ServerMessage = {
      type: 'offer_ended', seq: 3, now: 0, offer_id: 'i1/1', outcome: 'withdrawn', detail: 'detached',
    }
    const after = reduce(ringing, { kind: 'message', at: 0, message: ended })
    expect(after.work).toEqual(call)
    expect(after.notices).toEqual([])
  })
})
