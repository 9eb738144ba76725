package fault

import "strings"

// maxNearestBytes bounds the names that Nearest compares: longer ones are like none.
const maxNearestBytes = 100

// Nearest returns the one of names that a mistyped name most likely means, or "" when none is like it.
func Nearest(name string, names []string) string { return within(len(name)/2+1, name, names) }

// Misspelt is Nearest for names of which any may be meant that is not here: only what a slip of the hand makes is like another.
func Misspelt(name string, names []string) string { return within(len(name)/4+1, name, names) }

func within(most int, name string, names []string) string {
	if len(name) > maxNearestBytes {
		return ""
	}
	nearest, distance := "", most+1
	for _, candidate := range names {
		if d := editDistance(strings.ToLower(name), strings.ToLower(candidate)); d < distance {
			nearest, distance = candidate, d
		}
	}
	return nearest
}

// editDistance is how many letters must be put in, taken out or changed to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
