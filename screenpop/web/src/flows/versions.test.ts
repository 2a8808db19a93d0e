import { expect, test } from 'vitest'
import { before, bodyLines, diffLines, problemsOf, refusal, size, type Version } from './versions'

function version(number: number): Version {
  return { number, hash: 'a', published_at: 0, by: 'ada', note: '', of: 0, is_live: false, calls: 0 }
}

const TOLD = '--- a/flows/main.yaml\n+++ b/flows/main.yaml\n@@ -1 +1 @@\n same\n-old\n+new\n+newer\n'

test('each line of a difference has its look', () => {
  const looks = diffLines(TOLD).map((each) => each.look)
  expect(looks).toEqual(['file', 'file', 'place', 'same', 'removed', 'added', 'added'])
  expect(diffLines('')).toEqual([])
})

test('under the name of its flow a difference needs no head', () => {
  expect(bodyLines(TOLD).map((each) => each.text)).toEqual(['@@ -1 +1 @@', ' same', '-old', '+new', '+newer'])
  expect(size(TOLD)).toEqual({ added: 2, removed: 1 })
})

test('a version is held against the one before it', () => {
  const all = [version(9), version(7), version(8)]
  expect(before(all, 9)?.number).toBe(8)
  expect(before(all, 7)).toBeUndefined()
})

test('problems have a place where they stand in a file', () => {
  expect(problemsOf(['flows/main.yaml:4:12: unknown variable "x": expected a, b', 'person kim: queue is no more', ''])).toEqual([
    { place: 'flows/main.yaml:4:12', text: 'unknown variable "x": expected a, b' },
    { place: '', text: 'person kim: queue is no more' },
  ])
})

test('a refusal always says something', () => {
  expect(refusal(422, 'one\ntwo')).toEqual(['one', 'two'])
  expect(refusal(0, '')[0]).toContain('did not answer in time')
  expect(refusal(500, '')[0]).toContain('500')
})
