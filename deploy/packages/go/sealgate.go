// Package sealgate is a local S3 and KMS for tests, with real encryption at rest and AWS's request quotas.
//
// It is thin: all state is in the process that Start starts, which ends with its standard input and so never
// outlives the test. The binary is the one that SEALGATE_BINARY names, else the first `sealgate` on PATH.
package sealgate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Line is the fixture line: endpoints, credentials, files.
type Line struct {
	Version                string `json:"version"`
	KMSEndpoint            string `json:"kms_endpoint"`
	S3Endpoint             string `json:"s3_endpoint"`
	S3TLSEndpoint          string `json:"s3_tls_endpoint"`
	S3ControlEndpoint      string `json:"s3_control_endpoint"`
	CAFile                 string `json:"ca_file"`
	AdminEndpoint          string `json:"admin_endpoint"`
	KMSAdminEndpoint       string `json:"kms_admin_endpoint"`
	KMSAdminToken          string `json:"kms_admin_token"`
	AdminToken             string `json:"admin_token"`
	Region                 string `json:"region"`
	AccessKeyID            string `json:"access_key_id"`
	SecretAccessKey        string `json:"secret_access_key"`
	AltAccessKeyID         string `json:"alt_access_key_id"`
	AltSecretAccessKey     string `json:"alt_secret_access_key"`
	BackendEndpoint        string `json:"backend_endpoint"`
	BackendAccessKeyID     string `json:"backend_access_key_id"`
	BackendSecretAccessKey string `json:"backend_secret_access_key"`
}

// Sealgate is one that runs.
type Sealgate struct {
	// Line has its endpoints and credentials.
	Line Line

	command *exec.Cmd
	input   io.Closer
	log     *os.File
	quotas  json.RawMessage
	// Marks of the KMS and of the gateway.
	kmsMark, gatewayMark uint64
	stopped              bool
}

// Option changes how it starts.
type Option func(*options)

type options struct {
	binary, clock string
	arguments     []string
}

// QuotaScale multiplies all quotas of the KMS.
func QuotaScale(factor float64) Option {
	return Args("--quota-scale", strconv.FormatFloat(factor, 'g', -1, 64))
}

// Seed names a file of KMS keys.
func Seed(file string) Option { return Args("--seed", file) }

// Clock stops the clock of the KMS at a time of ISO 8601.
func Clock(at string) Option { return func(o *options) { o.clock = at } }

// Binary names the binary.
func Binary(file string) Option { return func(o *options) { o.binary = file } }

// Args adds flags for `sealgate up`.
func Args(arguments ...string) Option {
	return func(o *options) { o.arguments = append(o.arguments, arguments...) }
}

// Start starts a Sealgate on free ports that stores nothing, and ends it with the test. A test that fails logs the
// last events of the KMS and the end of Sealgate's log.
func Start(t testing.TB, with ...Option) *Sealgate {
	t.Helper()
	s, err := StartProcess(with...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("KMS events, newest first: %s\nSealgate's log:\n%s", s.describeEvents(), s.Log(40))
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// StartProcess is Start without a test, such as for TestMain. Stop ends it.
func StartProcess(with ...Option) (*Sealgate, error) {
	var o options
	for _, option := range with {
		option(&o)
	}
	binary, err := findBinary(o.binary)
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp("", "sealgate-log-")
	if err != nil {
		return nil, err
	}
	// The open file stays until the last process that has it ends.
	_ = os.Remove(log.Name())
	s := &Sealgate{log: log}
	s.command = exec.Command(binary, append([]string{"up", "--fixture", "--ephemeral"}, o.arguments...)...)
	s.command.Stderr = log
	if err := s.begin(o.clock); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Attach is one that runs already, such as in a container. Stop does not end it.
func Attach(line Line) (*Sealgate, error) {
	s := &Sealgate{Line: line}
	return s, s.prepare("")
}

func (s *Sealgate) begin(clock string) error {
	input, err := s.command.StdinPipe()
	if err != nil {
		return err
	}
	output, err := s.command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.command.Start(); err != nil {
		return fmt.Errorf("sealgate does not start: %w", err)
	}
	s.input = input
	line, err := bufio.NewReader(output).ReadBytes('\n')
	if err != nil {
		_ = s.command.Wait()
		s.stopped = true
		return fmt.Errorf("sealgate ended, %s:\n%s", s.command.ProcessState, s.Log(40))
	}
	if err := json.Unmarshal(line, &s.Line); err != nil {
		return fmt.Errorf("the fixture line: %w", err)
	}
	return s.prepare(clock)
}

func (s *Sealgate) prepare(clock string) error {
	if err := s.ready(); err != nil {
		return err
	}
	if _, err := s.kmsAdmin("POST", "/admin/snapshots", map[string]any{"name": snapshot}); err != nil {
		return err
	}
	answer, err := s.kmsAdmin("GET", "/admin/quotas", nil)
	if err != nil {
		return err
	}
	s.quotas = answer["config"]
	if err := s.Mark(); err != nil {
		return err
	}
	if clock != "" {
		_, err = s.Freeze(clock)
	}
	return err
}

func findBinary(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	if named = os.Getenv("SEALGATE_BINARY"); named != "" {
		return filepath.Abs(named)
	}
	found, err := exec.LookPath("sealgate")
	if err != nil {
		return "", errors.New("there is no `sealgate` on PATH, and SEALGATE_BINARY names none")
	}
	return found, nil
}

// Stop ends it, if this program started it. A second call does nothing.
func (s *Sealgate) Stop() error {
	if s.command == nil {
		return nil
	}
	defer func() { _ = s.log.Close() }()
	if s.stopped || s.command.Process == nil {
		return nil
	}
	s.stopped = true
	_ = s.input.Close()
	overdue := time.AfterFunc(patience, func() { _ = s.command.Process.Kill() })
	defer overdue.Stop()
	return s.command.Wait()
}

// Log is the end of its log: so many lines. Of one that this program did not start, nothing.
func (s *Sealgate) Log(lines int) string {
	if s.log == nil {
		return ""
	}
	end, err := s.log.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(0, end.Size()-logBytes)
	text := make([]byte, end.Size()-from)
	read, _ := s.log.ReadAt(text, from)
	all := strings.Split(strings.TrimRight(string(text[:read]), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (s *Sealgate) describeEvents() string {
	events, err := s.Events(context.Background(), "", 20)
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, event := range events {
		outcome := event.ErrorCode
		if outcome == "" {
			outcome = "OK"
		}
		names = append(names, event.Name+" "+outcome)
	}
	return strings.Join(names, ", ")
}

const (
	snapshot = "sealgate-start"
	logBytes = 1 << 16
	// How long the end and an answer of an admin port may take.
	patience = 30 * time.Second
)
