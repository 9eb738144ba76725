package catalog

// Limits of a search query.
const (
	maxQueryDepth  = 32
	maxQueryRules  = 1000
	maxQueryValues = 10_000 // in the lists of all rules
	maxPathSteps   = 16
	maxPathHops    = 15 // of one step (Port's limit)
)

// Rule is one node of a search query. A node with Combinator joins Rules; any other is a condition on one subject.
// No condition is ever unknown: one on a value that is not there is false, its negation true.
type Rule struct {
	Combinator string // "and", "or"; "" for a condition
	Rules      []Rule

	Subject  Subject
	Operator Operator
	Negate   bool
	Values   []Value  // what Equal, In, Contains and the others compare with
	From, To int64    // of Between: Unix milliseconds, both included
	Related  *Related // of RelatedTo
	Path     *Path    // of MatchAny
	Reach    *Reach   // of Reached
}

// Related asks for the entities that are related to those named: whatever is reached from them along relations, however
// long the way, themselves excluded.
type Related struct {
	Blueprint   string
	Identifiers []string
	Direction   Direction
	Required    *bool // only along relations that are, or are not, required; nil takes all
}

// Direction is which way relations are followed.
type Direction int

// The directions. Both is whatever is reached either way, not by turning on the way.
const (
	Both       Direction = iota
	Upstream             // to what the named ones point at
	Downstream           // to what points at the named ones
)

// Path asks for the entities from which a path of relations ends at one of those identifiers; or, with From, for those at
// the end of paths that begin at the entities of that blueprint and those identifiers.
type Path struct {
	From        string
	Steps       []Step
	Identifiers []string
}

// Step follows one relation; with MaxHops, a relation of a blueprint to itself that often at most, and whatever is found
// along the way counts.
type Step struct {
	Relation string
	MaxHops  int // 0 means one
}

// Reach is a set of entities found by walking: from the named ones, hop by hop. It is what [Related] and [Path] come down to.
type Reach struct {
	Blueprint   string
	Identifiers []string
	Hops        []Hop
}

// Hop goes along relations, or against them.
type Hop struct {
	Against   bool
	Relations []RelationName // nil: every one
	Max       int            // how often at most; 0 means without end. What is found on the way counts
}

// RelationName is a relation of a blueprint.
type RelationName struct{ Blueprint, Relation string }

// Subject is what a condition looks at.
type Subject struct {
	Kind SubjectKind
	Name string // of the property, relation or scorecard; "$title" and the like for meta-properties

	Titles bool           // of RelationValue: the titles of the entities that it names, in place of their identifiers
	Of     string         // of RelationValue, for the store: the blueprint whose relation it is
	Rel    *Relation      // of RelationValue, for the store: its definition
	Rule   string         // of ScorecardValue: a rule's status, in place of the level
	Schema PropertySchema // of SchemaProperty
}

// PropertySchema is a kind of property. Empty members fit all.
type PropertySchema struct {
	Type, Format         string
	ItemType, ItemFormat string
}

// SubjectKind says where a subject is found.
type SubjectKind int

// The kinds of subject.
const (
	MetaProperty SubjectKind = iota
	ValueProperty
	RelationValue
	SchemaProperty // any property of a kind
	ScorecardValue // the level that an entity has in a scorecard, or a rule's status
)

// Operator is a condition's kind, negations apart.
type Operator int

// The operators. Each says when it holds for a value v of the entity.
const (
	OpEqual          Operator = iota // v is Values[0]; for a list, any of null, string, number, boolean or list
	OpIn                             // v, or an element of v when it is a list, is one of Values
	OpLess                           // v is a number, or a date-time, below Values[0]
	OpLessOrEqual                    //
	OpContains                       // v is a string with Values[0] in it, or a list with the element Values[0]
	OpPrefix                         // v is a string that begins with Values[0]
	OpSuffix                         // v is a string that ends with Values[0]
	OpBetween                        // v is a date-time from From to To
	OpEmpty                          // v is not there, or an empty list
	OpExpired                        // v is a date-time before From
	OpGreater                        //
	OpGreaterOrEqual                 //
	OpNever                          // it does not
	OpRelatedTo                      // the entity is one that Related asks for
	OpMatchAny                       // the entity is one that Path asks for
	OpReached                        // the entity is in Reach
)

// ValueKind is the kind of a constant in a query.
type ValueKind int

// The kinds of constant. A date-time is a string that reads as one; it compares as an instant with < and >, as text with =.
const (
	NullValue ValueKind = iota
	TextValue
	NumberValue
	BoolValue
	JSONValue // a list or object, canonical
)

// Value is a constant in a query.
type Value struct {
	Kind   ValueKind
	Text   string // of TextValue and JSONValue
	Number float64
	Bool   bool
	IsTime bool // Text is a date-time
	Time   int64
}

// Everything matches every entity.
func Everything() Rule { return Rule{Combinator: "and"} }

// Nothing matches none.
func Nothing() Rule { return Rule{Operator: OpNever} }
