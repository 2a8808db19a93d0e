import { expect, test } from 'vitest'
import { advice, reasonTitle, whyMe } from './explain'
import type { Agent } from './messages'

const AGENT: Agent = {
  state: 'ready', reason: '', since: 1, presence: 'ready', presence_reason: '', phone: 'free', desktop: 'there',
  interaction_id: '', deadline: 0,
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
  expect(whyMe(null).why).toBe('The server gave no reason.')
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
