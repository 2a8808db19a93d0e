import { expect, test } from 'vitest'
import { CALLING_BACK, advice, agentWord, emergencyText, reasonTitle, whyMe } from './explain'
import type { Agent, Emergency, QueueTotals, Work } from './messages'

const AGENT: Agent = {
  state: 'ready', reason: '', since: 1, presence: 'ready', presence_reason: '', phone: 'free', desktop: 'there',
  interaction_id: '', deadline: 0, latest: 0,
}

test('the longest idle agent reads so, with who was passed over', () => {
  const { why, others } = whyMe({
    rule: 'longest_idle',
    key: [['idle_since', 1], ['agent_id', 'maria']],
    runner_up: 'li',
    passed_over: [['less_idle', 1], ['skill:billing', 2], ['talking', 3]],
  })
  expect(why).toMatch(/^You had been free the longest of those who can take this caller, since \d\d:\d\d:\d\d\.$/)
  expect(others).toBe('Others: 1 free for less time, 2 without the skill billing, 3 talking.')
})

test('alone is alone, an unknown rule keeps its name', () => {
  expect(whyMe({ rule: 'longest_idle', key: [], runner_up: null, passed_over: [['talking', 1]] })).toEqual({
    why: 'You were the only one free for this caller.',
    others: 'Others: 1 talking.',
  })
  expect(whyMe({ rule: 'preferred_agent', key: [], runner_up: null, passed_over: [] }).why).toContain('preferred agent')
  expect(whyMe({ rule: 'ring_all', key: [], runner_up: null, passed_over: [['rung_together', 2]] })).toEqual({
    why: 'It rings at several agents at once: who answers first has the caller.',
    others: 'Others: 2 rung at the same time.',
  })
  expect(whyMe({ rule: 'ring_all', key: [], runner_up: null, passed_over: [] }).why).toContain('ring all')
  expect(whyMe(null).why).toBe('The server gave no reason.')
})

test('an order in force is one line', () => {
  const queues: QueueTotals[] = [
    { queue: 'billing', title: 'Billing', waiting: 0, oldest_asked_at: 0, agents_ready: 0, agents_signed_in: 0 },
  ]
  const order: Emergency = {
    id: 1, kind: 'close_queue', target: 'billing', texts: {}, keep_waiting: false, ends_at: 0, reason: 'fire drill',
  }
  const now = new Date(2026, 10, 22, 14, 0).getTime() * 1000
  const at = (day: number, hour: number): number => new Date(2026, 10, day, hour, 0).getTime() * 1000
  expect(emergencyText({ ...order, ends_at: at(22, 15) }, queues, now)).toBe('Billing is closed until 15:00: fire drill')
  expect(emergencyText({ ...order, ends_at: at(23, 8) }, queues, now)).toBe(
    'Billing is closed until 23 Nov 2026, 08:00: fire drill',
  )
  expect(emergencyText({ ...order, target: 'sales', reason: '' }, queues, now)).toBe('sales is closed')
  expect(emergencyText({ ...order, kind: 'close_number', target: '12025550143', reason: '' }, queues, now)).toBe(
    'The number +1 202 555 0143 is closed',
  )
  const notice: Emergency = { ...order, kind: 'notice', target: '', texts: { en: 'We know.' }, reason: '' }
  expect(emergencyText(notice, queues, now)).toBe('All callers hear “We know.” first')
  expect(emergencyText({ ...notice, target: '4989' }, queues, now)).toBe('Callers of +4989 hear “We know.” first')
})

test('advice says what happens next, or what stops it', () => {
  expect(advice(AGENT, '2001', [])).toMatchObject({ headline: 'You are ready', offersReady: false })
  expect(advice({ ...AGENT, state: 'phone_gone', phone: 'gone' }, '2001', []).text).toContain('2001')
  expect(advice({ ...AGENT, state: 'logged_out', presence: 'logged_out' }, '', []).offersReady).toBe(true)
  const unanswered = advice({ ...AGENT, state: 'not_ready', presence: 'not_ready', presence_reason: 'no_answer' }, '', [])
  expect(unanswered).toMatchObject({ headline: 'Not ready: No answer', offersReady: true })
})

test('a site’s own title wins over ours', () => {
  expect(reasonTitle('no_answer', [{ code: 'no_answer', title: 'Did not pick up' }])).toBe('Did not pick up')
  expect(reasonTitle('coffee_break', [])).toBe('Coffee break')
})

test('who is held while the customer is called does not ring', () => {
  const held: Agent = { ...AGENT, state: 'reserved' }
  const work = { calling_back: true } as Work
  expect(agentWord(held, work)).toEqual({ word: CALLING_BACK, look: 'ring' })
  expect(agentWord(held, { ...work, calling_back: false }).word).toBe('Ringing')
  expect(agentWord(held, null).word).toBe('Ringing')
  expect(agentWord({ ...AGENT, state: 'talking' }, work).word).toBe('Talking')
})
