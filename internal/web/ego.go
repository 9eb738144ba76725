package web

import (
	"fmt"

	"longshore/internal/catalog"
)

// ego is the picture of an entity among its neighbours: who points at it on the left, what it points at on the right.
type ego struct {
	Width, Height float64
	Boxes         []egoBox
	Edges         []egoEdge
}

type egoBox struct {
	X, Y, W, H  float64
	Title, Note string
	URL         string
	Kind        string // self, near, waiting, group
}

type egoEdge struct {
	Path    string
	Label   string
	X, Y    float64 // of the label
	Waiting bool
}

// Measures of the picture, in view box units.
const (
	egoWidth  = 1100.0
	egoBoxW   = 250.0
	egoBoxH   = 44.0
	egoStep   = 56.0
	maxBeside = 7 // boxes a side
)

// egoOf draws the entity's picture, nil when it has no neighbours.
func egoOf(p *entityPage) *ego {
	type neighbour struct {
		box   egoBox
		label string
	}
	var left, right []neighbour
	for _, b := range p.Backward {
		if b.N == 1 && len(b.Rows) == 1 {
			left = append(left, neighbour{egoBox{Title: b.Rows[0].Title, Note: b.Blueprint, URL: b.Rows[0].URL, Kind: "near"}, b.Relation})
			continue
		}
		left = append(left, neighbour{egoBox{Title: grouped(b.N) + " × " + b.Blueprint, Note: "by " + b.Relation, URL: b.URL, Kind: "group"}, b.Relation})
	}
	for _, f := range p.Forward {
		for i, l := range f.Links {
			if i == 2 && len(f.Links) > 3 {
				right = append(right, neighbour{egoBox{Title: fmt.Sprintf("%d more", len(f.Links)-i+f.More), Note: l.Blueprint, URL: "#relations", Kind: "group"}, f.Name})
				break
			}
			kind, note := "near", l.Blueprint
			if l.Waiting {
				kind, note = "waiting", l.Blueprint+", waiting"
			}
			right = append(right, neighbour{egoBox{Title: l.Title, Note: note, URL: l.URL, Kind: kind}, f.Name})
		}
	}
	left, right = left[:min(len(left), maxBeside)], right[:min(len(right), maxBeside)]
	if len(left)+len(right) == 0 {
		return nil
	}
	rows := max(len(left), len(right))
	e := &ego{Width: egoWidth, Height: float64(rows)*egoStep + 16}
	middle := (egoWidth - egoBoxW) / 2
	if len(left) == 0 || len(right) == 0 { // a picture of two columns
		e.Width -= middle - 4
		if len(left) == 0 {
			middle = 4
		}
	}
	self := egoBox{X: middle, Y: (e.Height - egoBoxH) / 2, W: egoBoxW, H: egoBoxH, Title: p.Title, Note: titleOf(p.Blueprint), Kind: "self"}
	side := func(list []neighbour, x float64, toLeft bool) {
		top := (e.Height - float64(len(list)-1)*egoStep) / 2
		for i, n := range list {
			n.box.X, n.box.W, n.box.H = x, egoBoxW, egoBoxH
			middle := top + float64(i)*egoStep
			n.box.Y = middle - egoBoxH/2
			e.Boxes = append(e.Boxes, n.box)
			e.Edges = append(e.Edges, edge(n.box, self, n.label, toLeft))
		}
	}
	side(left, 4, true)
	side(right, e.Width-egoBoxW-4, false)
	e.Boxes = append(e.Boxes, self)
	return e
}

func edge(box, self egoBox, label string, toLeft bool) egoEdge {
	x0, x1 := self.X+self.W, box.X
	y0, y1 := self.Y+self.H/2, box.Y+box.H/2
	if toLeft {
		x0, x1 = box.X+box.W, self.X
		y0, y1 = y1, y0
	}
	xm := (x0 + x1) / 2
	e := egoEdge{Label: label, Waiting: box.Kind == "waiting", Y: box.Y + box.H/2 - 5}
	if e.X = x1 - 8; toLeft {
		e.X = x0 + 8
	}
	e.Path = fmt.Sprintf("M%s,%sC%s,%s %s,%s %s,%s", trimmedFloat(x0), trimmedFloat(y0), trimmedFloat(xm), trimmedFloat(y0), trimmedFloat(xm), trimmedFloat(y1), trimmedFloat(x1), trimmedFloat(y1))
	return e
}

// flagSentence says what a flag is about.
func flagSentence(f catalog.Flag) string {
	text := fmt.Sprintf("%s breaks the rule %q", f.Property, f.Rule)
	if f.Want != "" {
		text += ": want " + f.Want
	}
	if f.Value != "" {
		text += ", got " + f.Value
	}
	return text
}
