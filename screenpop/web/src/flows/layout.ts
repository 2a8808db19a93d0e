/** Where boxes and arrows of a flow stand: dagre's layers, from the start down. Pure. */

import { Graph, layout as run } from '@dagrejs/dagre'
import type { FlowGraph, GraphNode } from './numbers'

export const WIDTH = 272
export const HEAD = 40
export const LINE = 20
export const FOOT = 40
/** So many lines of a node are shown; the rest is counted. */
export const MOST_LINES = 5
const PAD = 16
const LETTER = 7

export interface Point {
  x: number
  y: number
}

export interface PlacedNode extends Point {
  node: GraphNode
  width: number
  height: number
}

export interface PlacedEdge {
  id: string
  source: string
  target: string
  label: string
  /** The path of the arrow, and where its label stands. */
  path: string
  at: Point
}

export function shownLines(node: GraphNode): { text: string; depth: number }[] {
  const lines = node.lines.filter((line) => !line.leads)
  if (lines.length <= MOST_LINES) return lines
  return [...lines.slice(0, MOST_LINES - 1), { text: `… ${lines.length - MOST_LINES + 1} more`, depth: 0 }]
}

export function heightOf(node: GraphNode): number {
  return node.is_flow ? HEAD : HEAD + shownLines(node).length * LINE + PAD + FOOT
}

/** Room for the arrow of a node that leads to itself. */
const LOOP = 96

export function layOut(graph: FlowGraph): { nodes: PlacedNode[]; edges: PlacedEdge[] } {
  const drawn = new Graph({ multigraph: false })
  drawn.setGraph({ rankdir: 'TB', nodesep: 40, ranksep: 48, edgesep: 24, marginx: 16, marginy: 16 })
  const loops = new Set(graph.edges.filter((edge) => edge.source === edge.target).map((edge) => edge.source))
  const room = (id: string) => (loops.has(id) ? LOOP : 0)
  for (const node of graph.nodes) {
    drawn.setNode(node.id, { width: (node.is_flow ? 200 : WIDTH) + room(node.id), height: heightOf(node) })
  }
  for (const { source, target, labels } of graph.edges) {
    if (source === target) continue
    drawn.setEdge(source, target, { width: labelOf(labels).length * LETTER + 40, height: 22, labelpos: 'c' })
  }
  run(drawn)
  const nodes = graph.nodes.map((node) => {
    const { x, y, width, height } = drawn.node(node.id) as Point & { width: number; height: number }
    return { node, x: x - width / 2, y: y - height / 2, width: width - room(node.id), height }
  })
  const layers = layersOf(nodes)
  const byId = new Map(nodes.map((each) => [each.node.id, each]))
  const edges = graph.edges.flatMap(({ source, target, labels }) => {
    const from = byId.get(source)
    const to = byId.get(target)
    if (from === undefined || to === undefined) return []
    const placed = { id: `${source}→${target}`, source, target, label: labelOf(labels) }
    if (from === to) return [{ ...placed, ...loop(from) }]
    const { points, x, y } = drawn.edge(source, target) as { points: Point[]; x: number; y: number }
    return [{ ...placed, path: curve(way(points, from, to, layers)), at: { x, y } }]
  })
  return { nodes, edges }
}

/** The top and bottom of the row that a node stands in, by its middle. */
function layersOf(nodes: PlacedNode[]): Map<number, { top: number; bottom: number }> {
  const layers = new Map<number, { top: number; bottom: number }>()
  for (const each of nodes) {
    const middle = middleOf(each)
    const known = layers.get(middle) ?? { top: each.y, bottom: each.y }
    layers.set(middle, { top: Math.min(known.top, each.y), bottom: Math.max(known.bottom, each.y + each.height) })
  }
  return layers
}

function middleOf(node: PlacedNode): number {
  return Math.round(node.y + node.height / 2)
}

/** From the edge of a box straight out of its row, so that no box beside it is crossed, and as straight into the other. */
function way(
  points: Point[], from: PlacedNode, to: PlacedNode, layers: Map<number, { top: number; bottom: number }>,
): Point[] {
  const down = from.y < to.y
  const leaves = layers.get(middleOf(from))
  const comes = layers.get(middleOf(to))
  const start = within(points[0]?.x ?? from.x, from)
  const end = within(points.at(-1)?.x ?? to.x, to)
  return [
    { x: start, y: down ? from.y + from.height : from.y },
    { x: start, y: (down ? leaves?.bottom : leaves?.top) ?? from.y },
    ...points.slice(1, -1),
    { x: end, y: (down ? comes?.top : comes?.bottom) ?? to.y },
    { x: end, y: down ? to.y : to.y + to.height },
  ]
}

function within(x: number, node: PlacedNode): number {
  return Math.min(Math.max(x, node.x + 28), node.x + node.width - 28)
}

function loop(node: PlacedNode): { path: string; at: Point } {
  const right = node.x + node.width
  const [top, bottom] = [node.y + 20, node.y + node.height - 20]
  const out = right + 52
  return {
    path: `M${right} ${bottom}C${out} ${bottom} ${out} ${top} ${right + 2} ${top}`,
    at: { x: right + 42, y: (top + bottom) / 2 },
  }
}

export function labelOf(labels: string[]): string {
  const text = labels.join(', ')
  return text.length > 28 ? `${text.slice(0, 27)}…` : text
}

/** Through the points, each left and reached upright. */
export function curve(points: Point[]): string {
  const [first, ...rest] = points
  if (first === undefined) return ''
  let path = `M${spot(first)}`
  let before = first
  for (const point of rest) {
    const bend = (point.y - before.y) / 2
    const straight = Math.abs(point.x - before.x) < 0.5
    path += straight
      ? `L${spot(point)}`
      : `C${spot({ x: before.x, y: before.y + bend })} ${spot({ x: point.x, y: point.y - bend })} ${spot(point)}`
    before = point
  }
  return path
}

function spot(point: Point): string {
  return `${point.x.toFixed(1)} ${point.y.toFixed(1)}`
}
