// Package container runs Sealgate in a container, by Testcontainers. The credentials are random for each container;
// none is built in.
package container

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
	"sealgate.dev/sealgate"
)

// Container is a Sealgate in a container. Its methods of package sealgate control, count and have clients; its backend
// and the user of another account are not reached.
type Container struct {
	testcontainers.Container
	// Sealgate is as one that this program started, except for what is said above.
	*sealgate.Sealgate

	authority string
}

// Option changes how it starts.
type Option func(*options)

type options struct {
	region  string
	flags   []string
	hosts   []string
	files   []testcontainers.ContainerFile
	request []testcontainers.ContainerCustomizer
}

// QuotaScale multiplies all quotas of the KMS.
func QuotaScale(factor float64) Option {
	return Flags("--quota-scale", strconv.FormatFloat(factor, 'g', -1, 64))
}

// Seed names a file of KMS keys.
func Seed(file string) Option {
	return func(o *options) {
		inside := "/tmp/" + path.Base(file)
		copied := testcontainers.ContainerFile{HostFilePath: file, ContainerFilePath: inside, FileMode: 0o444}
		o.files = append(o.files, copied)
		o.flags = append(o.flags, "--seed", inside)
	}
}

// Region sets the Region of both services.
func Region(name string) Option { return func(o *options) { o.region = name } }

// Host adds a name by which other containers reach this one: it is in the certificate.
func Host(name string) Option { return func(o *options) { o.hosts = append(o.hosts, name) } }

// Flags adds flags for `sealgate up`.
func Flags(flags ...string) Option {
	return func(o *options) { o.flags = append(o.flags, flags...) }
}

// With adds options of Testcontainers.
func With(more ...testcontainers.ContainerCustomizer) Option {
	return func(o *options) { o.request = append(o.request, more...) }
}

// Run starts it, and waits until it is ready. End it with testcontainers.TerminateContainer or Terminate.
func Run(ctx context.Context, image string, with ...Option) (*Container, error) {
	o := options{region: "us-east-1"}
	for _, option := range with {
		option(&o)
	}
	line := sealgate.Line{
		Region:          o.region,
		AccessKeyID:     "SG" + strings.ToUpper(random(9)),
		SecretAccessKey: random(20),
		AdminToken:      random(16),
	}
	hosts, err := names(ctx, o.hosts)
	if err != nil {
		return nil, err
	}
	request := append([]testcontainers.ContainerCustomizer{
		testcontainers.WithExposedPorts(portS3, portS3TLS, portKMS, portGatewayAdmin, portKMSAdmin),
		testcontainers.WithCmd(append([]string{"up", "--region", o.region}, o.flags...)...),
		testcontainers.WithFiles(o.files...),
		testcontainers.WithEnv(map[string]string{
			"SEALGATE_ACCESS_KEY_ID":     line.AccessKeyID,
			"SEALGATE_SECRET_ACCESS_KEY": line.SecretAccessKey,
			"SEALGATE_ADMIN_TOKEN":       line.AdminToken,
		}),
		testcontainers.WithEnv(hosts),
		testcontainers.WithWaitStrategy(&readiness{timeout: patience}),
	}, o.request...)
	running, err := testcontainers.Run(ctx, image, request...)
	if err != nil {
		// It is not nil if it was created, and is not to be left behind.
		_ = testcontainers.TerminateContainer(running)
		return nil, err
	}
	c := &Container{Container: running}
	if err := c.attach(ctx, line); err != nil {
		_ = c.Terminate(ctx)
		return nil, err
	}
	return c, nil
}

// names has the variable with the names that it answers to besides loopback's; without any, it answers to all.
func names(ctx context.Context, hosts []string) (map[string]string, error) {
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return nil, err
	}
	defer func() { _ = provider.Close() }()
	own, err := provider.DaemonHost(ctx)
	if err != nil {
		return nil, err
	}
	if own != "localhost" && own != "127.0.0.1" {
		hosts = append(hosts, own)
	}
	if len(hosts) == 0 {
		return nil, nil
	}
	return map[string]string{"SEALGATE_HOSTS": strings.Join(hosts, ",")}, nil
}

func (c *Container) attach(ctx context.Context, line sealgate.Line) error {
	for port, endpoint := range map[string]*string{
		portS3: &line.S3Endpoint, portS3TLS: &line.S3TLSEndpoint, portKMS: &line.KMSEndpoint,
		portGatewayAdmin: &line.AdminEndpoint, portKMSAdmin: &line.KMSAdminEndpoint,
	} {
		scheme := "http"
		if port == portS3TLS {
			scheme = "https"
		}
		url, err := c.PortEndpoint(ctx, port, scheme)
		if err != nil {
			return err
		}
		*endpoint = url
	}
	// Whatever the host's name is, loopback is among those of the certificate.
	published, err := c.MappedPort(ctx, portS3TLS)
	if err != nil {
		return err
	}
	line.S3ControlEndpoint = fmt.Sprintf("https://s3.localhost:%d", published.Num())
	content, err := c.CopyFileFromContainer(ctx, "/var/lib/sealgate/ca.pem")
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	file, err := os.CreateTemp("", "sealgate-ca-")
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	c.authority, line.CAFile = file.Name(), file.Name()
	if _, err := io.Copy(file, content); err != nil {
		return err
	}
	c.Sealgate, err = sealgate.Attach(line)
	return err
}

// Stop stops the container, as the method of Testcontainers does.
func (c *Container) Stop(ctx context.Context, timeout *time.Duration) error {
	return c.Container.Stop(ctx, timeout)
}

// Terminate ends and removes the container.
func (c *Container) Terminate(ctx context.Context, with ...testcontainers.TerminateOption) error {
	if c.authority != "" {
		_ = os.Remove(c.authority)
	}
	return c.Container.Terminate(ctx, with...)
}

// readiness waits until both services are ready by HTTP. A container that ended is reported at once, with its log.
type readiness struct{ timeout time.Duration }

// WaitUntilReady is called by Testcontainers.
func (r *readiness) WaitUntilReady(ctx context.Context, target wait.StrategyTarget) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	for _, port := range []string{portKMSAdmin, portGatewayAdmin} {
		for !isReady(ctx, target, port) {
			state, err := target.State(ctx)
			if err != nil {
				return err
			}
			if !state.Running {
				return fmt.Errorf("the container of sealgate is not ready, but %s:\n%s", state.Status, logOf(target))
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("the container of sealgate is not ready after %s:\n%s", r.timeout, logOf(target))
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func isReady(ctx context.Context, target wait.StrategyTarget, port string) bool {
	host, err := target.Host(ctx)
	if err != nil {
		return false
	}
	published, err := target.MappedPort(ctx, port)
	if err != nil {
		return false
	}
	url := fmt.Sprintf("http://%s:%d/readyz", host, published.Num())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := (&http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func logOf(target wait.StrategyTarget) string {
	// The time of the wait is over.
	log, err := target.Logs(context.Background())
	if err != nil {
		return err.Error()
	}
	defer func() { _ = log.Close() }()
	text, _ := io.ReadAll(log)
	return string(text)
}

func random(bytes int) string {
	value := make([]byte, bytes)
	// It never fails: crypto/rand ends the program instead.
	_, _ = rand.Read(value)
	return hex.EncodeToString(value)
}

const (
	portS3           = "9070/tcp"
	portS3TLS        = "9443/tcp"
	portKMS          = "9080/tcp"
	portGatewayAdmin = "9090/tcp"
	portKMSAdmin     = "9091/tcp"
	// How long a start may take.
	patience = 60 * time.Second
)
