package web

import (
	"fmt"
	"math"
	"slices"
)

// sankey is a picture of flows between columns of nodes, laid out in the units of its view box.
type sankey struct {
	Width, Height float64
	Nodes         []*flowNode
	Links         []*flowLink
}

type flowNode struct {
	Column     int
	Name       string // the label
	Note       string // beneath it, smaller
	URL        string
	Tone       string
	X, Y, H    float64
	LabelX     float64
	LabelY     float64
	Anchor     string // of the label: start, middle, end
	in, out    []*flowLink
	weight     float64 // wanted place in its column
	fixedLast  bool    // a sink, at the foot of its column
	inH, outH  float64
	labelAbove bool
}

type flowLink struct {
	From, To *flowNode
	N        int64
	Tone     string
	URL      string
	Title    string
	Path     string
	width    float64
	y0, y1   float64
}

// Geometry of the picture, in view box units.
const (
	flowNodeWidth = 10.0
	flowGap       = 12.0
	flowTop       = 56.0 // room for the columns' headings
	flowFoot      = 12.0
	flowExponent  = 0.4 // width = k · n^0.4: a stream of 40 stays visible beside one of 40,000 (1 : 16)
	flowThinnest  = 1.5
	flowSlot      = 34.0 // what a label of two lines needs
)

func (p *sankey) node(n flowNode) *flowNode {
	p.Nodes = append(p.Nodes, &n)
	return &n
}

// link joins two nodes; a flow of nothing is no link.
func (p *sankey) link(from, to *flowNode, n int64, tone, url, title string) {
	if n <= 0 || from == nil || to == nil {
		return
	}
	l := &flowLink{From: from, To: to, N: n, Tone: tone, URL: url, Title: title}
	p.Links = append(p.Links, l)
	from.out, to.in = append(from.out, l), append(to.in, l)
}

// lay places nodes and links. xs are the columns' left edges.
func (p *sankey) lay(width, height float64, xs []float64) {
	columns := make([][]*flowNode, len(xs))
	for _, n := range p.Nodes {
		columns[n.Column] = append(columns[n.Column], n)
	}
	p.Width, p.Height = width, height
	for _, c := range columns {
		// Labels take what they need, ribbons as much again as a third of it.
		p.Height = max(p.Height, flowTop+flowFoot+float64(len(c))*(flowSlot+flowGap)*1.33)
	}
	p.scale(columns)
	for i, c := range columns {
		if i > 0 {
			order(c)
		}
		p.stack(c, xs[i])
	}
	p.draw()
}

// scale chooses the widest k with which every column fits its height.
func (p *sankey) scale(columns [][]*flowNode) {
	fits := func(k float64) bool {
		for _, l := range p.Links {
			l.width = max(flowThinnest, k*math.Pow(float64(l.N), flowExponent))
		}
		for _, c := range columns {
			room := p.Height - flowTop - flowFoot
			for _, n := range c {
				n.inH, n.outH = sumWidth(n.in), sumWidth(n.out)
				n.H = max(n.inH, n.outH, 4)
				room -= max(n.H, n.slot()) + flowGap
			}
			if room < 0 {
				return false
			}
		}
		return true
	}
	low, high := 0.0, 3.0
	for range 30 {
		if mid := (low + high) / 2; fits(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	fits(low)
}

func (n *flowNode) slot() float64 {
	if n.labelAbove {
		return n.H
	}
	return flowSlot
}

func sumWidth(links []*flowLink) float64 {
	sum := 0.0
	for _, l := range links {
		sum += l.width
	}
	return sum
}

// order sorts a column by where its flows come from, sinks last, so that ribbons cross little.
func order(column []*flowNode) {
	for _, n := range column {
		n.weight = 0
		total := 0.0
		for i, l := range n.in {
			centre := l.From.Y + l.From.H/2
			if len(l.From.out) > 1 { // a node that everything passes: keep the order in which flows were named
				centre = float64(i) + l.From.Y + l.From.H*place(l)
			}
			n.weight += centre * l.width
			total += l.width
		}
		if total > 0 {
			n.weight /= total
		}
	}
	slices.SortStableFunc(column, func(a, b *flowNode) int {
		if a.fixedLast != b.fixedLast {
			if a.fixedLast {
				return 1
			}
			return -1
		}
		switch {
		case a.weight < b.weight:
			return -1
		case a.weight > b.weight:
			return 1
		}
		return 0
	})
}

// place is how far down its source a link stands among those named, from 0 to 1.
func place(l *flowLink) float64 {
	i := slices.Index(l.From.out, l)
	return float64(i) / float64(max(1, len(l.From.out)-1))
}

func (p *sankey) stack(column []*flowNode, x float64) {
	need := 0.0
	for _, n := range column {
		need += max(n.H, n.slot())
	}
	gap := flowGap
	if len(column) > 1 {
		gap = min(40, max(flowGap, (p.Height-flowTop-flowFoot-need)/float64(len(column)-1)))
	}
	y := flowTop + max(0, (p.Height-flowTop-flowFoot-need-gap*float64(len(column)-1))/2)
	for _, n := range column {
		slot := max(n.H, n.slot())
		n.X, n.Y = x, y+(slot-n.H)/2
		y += slot + gap
	}
}

// draw makes each node's flows lie beside each other in the order of the other ends, and writes the ribbons.
func (p *sankey) draw() {
	for _, n := range p.Nodes {
		slices.SortStableFunc(n.out, func(a, b *flowLink) int { return sign(a.To.Y - b.To.Y) })
		y := n.Y + (n.H-n.outH)/2
		for _, l := range n.out {
			l.y0 = y
			y += l.width
		}
		slices.SortStableFunc(n.in, func(a, b *flowLink) int { return sign(a.From.Y - b.From.Y) })
	}
	for _, n := range p.Nodes {
		slices.SortStableFunc(n.in, func(a, b *flowLink) int { return sign(a.y0 + a.From.X*1e6 - b.y0 - b.From.X*1e6) })
		y := n.Y + (n.H-n.inH)/2
		for _, l := range n.in {
			l.y1 = y
			y += l.width
		}
		n.label()
	}
	for _, l := range p.Links {
		x0, x1 := l.From.X+flowNodeWidth, l.To.X
		xm := (x0 + x1) / 2
		l.Path = fmt.Sprintf("M%s,%sC%s,%s %s,%s %s,%sL%s,%sC%s,%s %s,%s %s,%sZ", trimmedFloat(x0), trimmedFloat(l.y0), trimmedFloat(xm),
			trimmedFloat(l.y0), trimmedFloat(xm), trimmedFloat(l.y1), trimmedFloat(x1), trimmedFloat(l.y1), trimmedFloat(x1),
			trimmedFloat(l.y1+l.width), trimmedFloat(xm), trimmedFloat(l.y1+l.width), trimmedFloat(xm), trimmedFloat(l.y0+l.width),
			trimmedFloat(x0), trimmedFloat(l.y0+l.width))
	}
}

func sign(v float64) int {
	switch {
	case v < 0:
		return -1
	case v > 0:
		return 1
	}
	return 0
}

func (n *flowNode) label() {
	n.LabelY = n.Y + n.H/2
	switch n.Anchor {
	case "end":
		n.LabelX = n.X - 8
	default:
		n.Anchor, n.LabelX = "start", n.X+flowNodeWidth+8
	}
}
