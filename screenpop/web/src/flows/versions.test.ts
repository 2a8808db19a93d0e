import { expect, test } from 'vitest'
import { before, diffLines, type Version } from './versions'

function version(number: number): Version {
  return { number, hash: 'a', published_at: 0, by: 'ada', note: '', is_live: false, calls: 0 }
}

test('each line of a difference has its look', () => {
  const told = '--- a/flows/main.yaml\n+++ b/flows/main.yaml\n@@ -1 +1 @@\n same\n-old\n+new\n'
  const looks = diffLines({ diff: told }).map((each) => each.look)
  expect(looks).toEqual(['file', 'file', 'place', 'same', 'removed', 'added'])
  expect(diffLines(told)).toHaveLength(6)
  expect(diffLines(null)).toEqual([])
})

test('a version is held against the one before it', () => {
  const all = [version(9), version(7), version(8)]
  expect(before(all, 9)?.number).toBe(8)
  expect(before(all, 7)).toBeUndefined()
})
