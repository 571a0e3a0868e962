package sealgate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// By selects calls of the KMS to be counted. What is left out selects all.
type By struct {
	Operation string
	// Key is an id, an ARN or an alias.
	Key string
	// Outcome is `OK` or the name of an exception.
	Outcome string
	// Caller is the ARN of a principal.
	Caller string
}

// Event is an event of the KMS, as CloudTrail has it.
type Event struct {
	Name      string `json:"eventName"`
	Time      string `json:"eventTime"`
	ErrorCode string `json:"errorCode"`
}

// Rule is a failure or latency in force.
type Rule struct {
	ID       uint64
	sealgate *Sealgate
}

// Remove ends it, and returns how many calls it was applied to.
func (r Rule) Remove() (uint64, error) {
	answer, err := r.sealgate.kmsAdmin("POST", "/admin/faults/remove", map[string]any{"id": r.ID})
	return number(answer["struck"], err)
}

// Reset puts everything back to the start: keys, buckets, objects, quotas, faults, the clock. It sets a mark, too.
func (s *Sealgate) Reset() error {
	for _, step := range []struct {
		method, path string
		body         any
	}{
		{"PUT", "/admin/faults", struct{}{}},
		{"PUT", "/admin/quotas", s.quotas},
		{"POST", "/admin/reset", struct{}{}},
		{"POST", "/admin/snapshots/restore", map[string]any{"name": snapshot}},
	} {
		if _, err := s.kmsAdmin(step.method, step.path, step.body); err != nil {
			return err
		}
	}
	if err := s.ready(); err != nil {
		return err
	}
	return s.Mark()
}

// The gateway makes its keys when it gets ready, which is not to be within what a test counts.
func (s *Sealgate) ready() error {
	_, err := s.admin(s.Line.AdminEndpoint, "GET", "/readyz", nil)
	return err
}

// Mark has Calls and Requests count from now on.
func (s *Sealgate) Mark() error {
	kms, err := s.kmsAdmin("POST", "/admin/mark", struct{}{})
	if s.kmsMark, err = number(kms["mark"], err); err != nil {
		return err
	}
	gateway, err := s.admin(s.Line.AdminEndpoint, "POST", "/admin/mark", nil)
	s.gatewayMark, err = number(gateway["mark"], err)
	return err
}

// Calls is how often the KMS was called since the mark, S3's own calls and planned failures included; exact.
func (s *Sealgate) Calls(by By) (uint64, error) {
	query := url.Values{"since": {strconv.FormatUint(s.kmsMark, 10)}}
	pairs := [][2]string{{"operation", by.Operation}, {"key", by.Key}, {"outcome", by.Outcome}, {"caller", by.Caller}}
	for _, pair := range pairs {
		if pair[1] != "" {
			query.Set(pair[0], pair[1])
		}
	}
	answer, err := s.kmsAdmin("GET", "/admin/calls?"+query.Encode(), nil)
	return number(answer["count"], err)
}

// WaitForCalls waits until there were as many calls, or the context ends.
func (s *Sealgate) WaitForCalls(ctx context.Context, count uint64, by By) (uint64, error) {
	for {
		seen, err := s.Calls(by)
		if err != nil || seen >= count {
			return seen, err
		}
		select {
		case <-ctx.Done():
			return seen, fmt.Errorf("%d calls of %q, not %d: %w", seen, by.Operation, count, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Requests is how many S3 requests of an operation were answered since the mark with a status; exact. An empty
// operation is any, and so is a status of 0.
func (s *Sealgate) Requests(operation string, status int) (uint64, error) {
	path := "/admin/requests?since=" + strconv.FormatUint(s.gatewayMark, 10)
	answer, err := s.admin(s.Line.AdminEndpoint, "GET", path, nil)
	if err != nil {
		return 0, err
	}
	var rows []struct {
		Operation string `json:"operation"`
		Status    int    `json:"status"`
		Count     uint64 `json:"count"`
	}
	if err := json.Unmarshal(answer["requests"], &rows); err != nil {
		return 0, err
	}
	var count uint64
	for _, row := range rows {
		if (operation == "" || operation == row.Operation) && (status == 0 || status == row.Status) {
			count += row.Count
		}
	}
	return count, nil
}

// Events are the latest events of the KMS, newest first: those of that name, or all for an empty one.
func (s *Sealgate) Events(_ context.Context, name string, limit int) ([]Event, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if name != "" {
		query.Set("name", name)
	}
	answer, err := s.kmsAdmin("GET", "/admin/events?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	var events []Event
	err = json.Unmarshal(answer["events"], &events)
	return events, err
}

// ThrottleNext has the next calls of the KMS be answered ThrottlingException. An empty key is any.
func (s *Sealgate) ThrottleNext(count uint64, operation, key string) (Rule, error) {
	return s.FailNext(count, operation, key, "ThrottlingException")
}

// FailNext has the next calls of the KMS fail with this exception. An empty key is any.
func (s *Sealgate) FailNext(count uint64, operation, key, exception string) (Rule, error) {
	rule := map[string]any{"operation": operation, "times": count, "error": exception}
	if key != "" {
		rule["key"] = key
	}
	return s.rule("fault", rule)
}

// Latency has calls of an operation take longer: the median, and the spread of a lognormal distribution.
func (s *Sealgate) Latency(median time.Duration, sigma float64, operation string) (Rule, error) {
	milliseconds := float64(median) / float64(time.Millisecond)
	return s.rule("latency", map[string]any{"operation": operation, "median_ms": milliseconds, "sigma": sigma})
}

func (s *Sealgate) rule(kind string, rule map[string]any) (Rule, error) {
	if rule["operation"] == "" {
		delete(rule, "operation")
	}
	answer, err := s.kmsAdmin("POST", "/admin/faults/add", map[string]any{kind: rule})
	id, err := number(answer["id"], err)
	return Rule{ID: id, sealgate: s}, err
}

// Quota sets the quota of a class, such as CryptographicOperationsSymmetric, in requests per second.
func (s *Sealgate) Quota(class string, rate float64) error {
	_, err := s.kmsAdmin("POST", "/admin/quotas/adjust", map[string]any{"class": class, "rate": rate})
	return err
}

// Freeze stops the clock of the KMS, at a time of ISO 8601 unless that is empty. It returns its time.
func (s *Sealgate) Freeze(at string) (string, error) {
	movement := map[string]any{"frozen": true}
	if at != "" {
		movement["set"] = at
	}
	return s.move(movement)
}

// Advance moves the clock of the KMS forward, and returns its time.
func (s *Sealgate) Advance(by time.Duration) (string, error) {
	return s.move(map[string]any{"advance_seconds": by.Seconds()})
}

func (s *Sealgate) move(movement map[string]any) (string, error) {
	answer, err := s.kmsAdmin("POST", "/admin/clock", movement)
	if err != nil {
		return "", err
	}
	var now string
	err = json.Unmarshal(answer["now"], &now)
	return now, err
}

type answer map[string]json.RawMessage

func number(text json.RawMessage, err error) (uint64, error) {
	if err != nil {
		return 0, err
	}
	var value uint64
	err = json.Unmarshal(text, &value)
	return value, err
}

func (s *Sealgate) kmsAdmin(method, path string, body any) (answer, error) {
	return s.admin(s.Line.KMSAdminEndpoint, method, path, body)
}

func (s *Sealgate) admin(endpoint, method, path string, body any) (answer, error) {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequest(method, endpoint+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	request.Header.Set("content-type", "application/json")
	token := s.Line.AdminToken
	if token == "" {
		token = s.Line.KMSAdminToken
	}
	if token != "" {
		request.Header.Set("authorization", "Bearer "+token)
	}
	response, err := (&http.Client{Timeout: patience, Transport: direct}).Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s %s", method, path, response.Status, strings.TrimSpace(string(text)))
	}
	if response.Header.Get("content-type") != "application/json" {
		return nil, nil
	}
	var fields answer
	err = json.Unmarshal(text, &fields)
	return fields, err
}

// No proxy of the environment is between a test and its process.
var direct = &http.Transport{Proxy: nil}
