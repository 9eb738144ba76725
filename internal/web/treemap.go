package web

import (
	"cmp"
	"math"
	"slices"
)

// treemap lays parts out in a rectangle, each with an area that grows as the square root of its number, so that few
// beside many are still seen. Cells are cut off the longer side, largest first, in rows as square as can be.
func treemap(parts []barPart, width, height float64) []treeCell {
	cells := make([]treeCell, 0, len(parts))
	areas := map[int]float64{}
	total := 0.0
	for i, p := range parts {
		cells = append(cells, treeCell{Part: p})
		areas[i] = math.Sqrt(float64(p.N))
		total += areas[i]
	}
	if total == 0 {
		return nil
	}
	order := make([]int, len(cells))
	for i := range order {
		order[i] = i
		areas[i] *= width * height / total
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(areas[b], areas[a]) })
	x, y, w, h := 0.0, 0.0, width, height
	for len(order) > 0 {
		side := min(w, h)
		n := 1
		for n < len(order) && worstRatio(order[:n+1], areas, side) <= worstRatio(order[:n], areas, side) {
			n++
		}
		row, sum := order[:n], 0.0
		for _, i := range row {
			sum += areas[i]
		}
		depth, at := sum/side, 0.0
		for _, i := range row {
			length := areas[i] / depth
			if w >= h {
				cells[i].X, cells[i].Y, cells[i].W, cells[i].H = x, y+at, depth, length
			} else {
				cells[i].X, cells[i].Y, cells[i].W, cells[i].H = x+at, y, length, depth
			}
			at += length
		}
		if w >= h {
			x, w = x+depth, w-depth
		} else {
			y, h = y+depth, h-depth
		}
		order = order[n:]
	}
	for i := range cells {
		cells[i].label()
	}
	return cells
}

// worstRatio is how far from square the worst cell of a row is.
func worstRatio(row []int, areas map[int]float64, side float64) float64 {
	sum, worst := 0.0, 0.0
	for _, i := range row {
		sum += areas[i]
	}
	for _, i := range row {
		r := sum * sum / (side * side * areas[i])
		worst = max(worst, r, 1/r)
	}
	return worst
}

// label writes what fits: some 7.5 units a character.
func (c *treeCell) label() {
	const gap = 2
	c.W, c.H = max(1, c.W-gap), max(1, c.H-gap)
	room := int((c.W - 20) / 7.5)
	if room >= 4 && c.H >= 26 {
		c.Count = grouped(c.Part.N)
		if len(c.Count) > room {
			c.Count = ""
		}
	}
	if room >= 6 && c.H >= 44 {
		c.Label = shorten(c.Part.Words.Label, room)
	}
}
