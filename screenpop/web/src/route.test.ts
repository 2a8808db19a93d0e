import { expect, test } from 'vitest'
import { hashOf, placeOf } from './route.svelte'

test('a place is what stands in the address, and back', () => {
  expect(placeOf('')).toEqual({ page: '', rest: '' })
  expect(placeOf('#/')).toEqual({ page: '', rest: '' })
  expect(placeOf(hashOf('flows'))).toEqual({ page: 'flows', rest: '' })
  expect(placeOf(hashOf('flows', 'a b/<c>'))).toEqual({ page: 'flows', rest: 'a b/<c>' })
})

test('an address that cannot be read is no place in it', () => {
  expect(placeOf('#/flows/%E0%A4%A')).toEqual({ page: 'flows', rest: '' })
  expect(placeOf('#javascript:alert(1)')).toEqual({ page: '', rest: '' })
})
