package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// measure counts and times what the doors answer.
type measure struct {
	answers *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newMeasure(reg prometheus.Registerer) *measure {
	m := &measure{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "longshore_http_answers_total", Help: "Answers, by door and status."}, []string{"door", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "longshore_http_answer_seconds", Help: "Time to the end of an answer, by door.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"door"}),
	}
	reg.MustRegister(m.answers, m.seconds)
	return m
}

func (m *measure) serve(d Door, w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	seen := &observed{ResponseWriter: w}
	defer func() {
		m.answers.WithLabelValues(d.Prefix, strconv.Itoa(seen.code())).Inc()
		m.seconds.WithLabelValues(d.Prefix).Observe(time.Since(start).Seconds())
	}()
	d.Handler.ServeHTTP(seen, r)
}

// Figures are asked at every scrape. A nil func is left out; one that fails is logged as an invalid metric and leaves
// the others standing.
type Figures struct {
	ObjectsWaiting      func(context.Context) (int64, error)            // lake objects queued or half read
	RecordsByVerdict    func(context.Context) (map[string]int64, error) // roll-ups
	EntitiesByBlueprint func(context.Context) (map[string]int64, error)
	LastSyncs           func(context.Context) ([]LastSync, error) // the newest run of each connection
	Source              func() SourceUse                          // what the source's rate limits have borne since the start
}

// SourceUse is what the source has asked of its rate limits since the process began.
type SourceUse struct {
	Buckets []SourceBucket
	Calls   []SourceCalls
	Width   int // requests that may be under way at one time
}

// SourceBucket is where one rate-limit bucket stands.
type SourceBucket struct {
	Bucket                        string
	Limit, Remaining, Share, Used int
	Waited                        time.Duration
}

// SourceCalls counts the calls of one stream in one bucket.
type SourceCalls struct {
	Bucket, Stream                    string
	Calls, Throttled, Retried, Failed int64
	Bytes                             int64
}

// LastSync is the newest run of a connection.
type LastSync struct {
	Connection string
	Status     string
	Started    time.Time
	Finished   time.Time // zero while it runs
}

const scrapeTimeout = 10 * time.Second

type collector struct {
	f                                                          Figures
	waiting, records, entities, syncStatus, syncStart, syncEnd *prometheus.Desc
	source                                                     map[string]*prometheus.Desc
}

// sourceFigures are the metrics of the source, by what they tell of.
var sourceFigures = []struct{ name, help, labels string }{ // read only
	{"limit", "Requests a window that a bucket of the source shows.", "bucket"},
	{"remaining", "Requests left to all clients in a bucket's window.", "bucket"},
	{"share", "Requests of ours that a bucket's window may hold.", "bucket"},
	{"used", "Requests of ours in a bucket's window.", "bucket"},
	{"wait_seconds_total", "How long requests stood waiting for a bucket.", "bucket"},
	{"calls_total", "Calls, by bucket and stream.", "bucket stream"},
	{"throttled_total", "Calls answered 429, by bucket and stream.", "bucket stream"},
	{"retried_total", "Calls sent again, by bucket and stream.", "bucket stream"},
	{"failed_total", "Calls answered 5xx or not at all, by bucket and stream.", "bucket stream"},
	{"answer_bytes_total", "Bytes of answers, unpacked, by bucket and stream.", "bucket stream"},
	{"parallel", "Requests that may be under way at one time.", ""},
}

// NewCollector makes the figures a collector, to be registered with the server's registry.
func NewCollector(f Figures) prometheus.Collector {
	source := map[string]*prometheus.Desc{}
	for _, d := range sourceFigures {
		source[d.name] = prometheus.NewDesc("longshore_source_"+d.name, d.help, strings.Fields(d.labels), nil)
	}
	return &collector{
		source:     source,
		f:          f,
		waiting:    prometheus.NewDesc("longshore_lake_objects_waiting", "Lake objects that are queued or half read.", nil, nil),
		records:    prometheus.NewDesc("longshore_records", "Records, by the verdict that they rolled up to.", []string{"verdict"}, nil),
		entities:   prometheus.NewDesc("longshore_entities", "Entities, by blueprint.", []string{"blueprint"}, nil),
		syncStatus: prometheus.NewDesc("longshore_last_sync_status", "1 for the status of each connection's newest sync.", []string{"connection", "status"}, nil),
		syncStart:  prometheus.NewDesc("longshore_last_sync_started_seconds", "When each connection's newest sync started, in Unix seconds.", []string{"connection"}, nil),
		syncEnd:    prometheus.NewDesc("longshore_last_sync_finished_seconds", "When each connection's newest sync ended, in Unix seconds; absent while it runs.", []string{"connection"}, nil),
	}
}

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.waiting, c.records, c.entities, c.syncStatus, c.syncStart, c.syncEnd} {
		to <- d
	}
	for _, d := range c.source {
		to <- d
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if c.f.ObjectsWaiting != nil {
		if n, err := c.f.ObjectsWaiting(ctx); err != nil {
			to <- prometheus.NewInvalidMetric(c.waiting, err)
		} else {
			gauge(c.waiting, float64(n))
		}
	}
	byLabel := func(ask func(context.Context) (map[string]int64, error), d *prometheus.Desc) {
		if ask == nil {
			return
		}
		counts, err := ask(ctx)
		if err != nil {
			to <- prometheus.NewInvalidMetric(d, err)
		}
		for label, n := range counts {
			gauge(d, float64(n), label)
		}
	}
	byLabel(c.f.RecordsByVerdict, c.records)
	byLabel(c.f.EntitiesByBlueprint, c.entities)
	if c.f.Source != nil {
		c.collectSource(to, c.f.Source())
	}
	if c.f.LastSyncs == nil {
		return
	}
	syncs, err := c.f.LastSyncs(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(c.syncStatus, err)
	}
	for _, s := range syncs {
		gauge(c.syncStatus, 1, s.Connection, s.Status)
		gauge(c.syncStart, float64(s.Started.UnixMilli())/1000, s.Connection)
		if !s.Finished.IsZero() {
			gauge(c.syncEnd, float64(s.Finished.UnixMilli())/1000, s.Connection)
		}
	}
}

func (c *collector) collectSource(to chan<- prometheus.Metric, use SourceUse) {
	tell := func(name string, v float64, labels ...string) {
		kind := prometheus.GaugeValue
		if strings.HasSuffix(name, "_total") {
			kind = prometheus.CounterValue
		}
		to <- prometheus.MustNewConstMetric(c.source[name], kind, v, labels...)
	}
	tell("parallel", float64(use.Width))
	for _, b := range use.Buckets {
		tell("limit", float64(b.Limit), b.Bucket)
		tell("remaining", float64(b.Remaining), b.Bucket)
		tell("share", float64(b.Share), b.Bucket)
		tell("used", float64(b.Used), b.Bucket)
		tell("wait_seconds_total", b.Waited.Seconds(), b.Bucket)
	}
	for _, u := range use.Calls {
		tell("calls_total", float64(u.Calls), u.Bucket, u.Stream)
		tell("throttled_total", float64(u.Throttled), u.Bucket, u.Stream)
		tell("retried_total", float64(u.Retried), u.Bucket, u.Stream)
		tell("failed_total", float64(u.Failed), u.Bucket, u.Stream)
		tell("answer_bytes_total", float64(u.Bytes), u.Bucket, u.Stream)
	}
}
