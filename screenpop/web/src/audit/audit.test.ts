import { expect, test } from 'vitest'
import { actionText, detailText, isRefusal, problemsOf, type Deed } from './audit'

function deed(action: string, subject: string, detail: Record<string, unknown>): Deed {
  return { id: 1, at: 0, actor: 'ada', action, subject, detail }
}

test('publishing is told from which version to which, and by which way', () => {
  expect(detailText(deed('flow_published', '4', { way: 'command', from: 3, to: 4, note: 'new menu' }))).toBe(
    'version 3 → 4 · by command · new menu',
  )
  expect(detailText(deed('flow_rolled_back', '5', { way: 'web', from: 4, to: 5, of: 2 }))).toBe(
    'version 4 → 5 · files of version 2 · on this page',
  )
  expect(detailText(deed('flow_published', '1', { way: 'start', from: 0, to: 1 }))).toBe('version 1 · at the first start')
})

test('a refusal says what stays and why', () => {
  const refused = deed('flow_publish_refused', '3', { way: 'signal', from: 3, to: 3, problems: ['a.yaml:1:1: no'], count: 1 })
  expect(detailText(refused)).toBe('version 3 stays live · by SIGHUP')
  expect(problemsOf(refused)).toEqual(['a.yaml:1:1: no'])
  expect([isRefusal(refused.action), isRefusal('flow_published')]).toEqual([true, false])
})

test('what is not known is shown as it stands', () => {
  expect(actionText('moon_landed')).toBe('moon_landed')
  expect(detailText(deed('order_given', 'billing', { order: 3, kind: 'close_queue', reason: '', until: 0 }))).toBe(
    'billing · order 3 · kind close_queue',
  )
  expect(detailText(deed('sign_in', 'ada', { address: '127.0.0.1' }))).toBe('address 127.0.0.1')
  expect(problemsOf(deed('sign_in', 'ada', {}))).toEqual([])
})
