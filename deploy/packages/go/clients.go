package sealgate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Encryption is how S3 reports that an object is encrypted.
type Encryption struct {
	Algorithm, KeyID, CustomerAlgorithm string
	BucketKey                           bool
}

// S3 is a client of the main user, over TLS.
func (s *Sealgate) S3(options ...func(*s3.Options)) *s3.Client { return s.s3(s.user(), options) }

// AltS3 is a client of the user of another account.
func (s *Sealgate) AltS3(options ...func(*s3.Options)) *s3.Client { return s.s3(s.altUser(), options) }

// KMS is a client of the main user.
func (s *Sealgate) KMS(options ...func(*kms.Options)) *kms.Client { return s.kms(s.user(), options) }

// AltKMS is a client of the user of another account.
func (s *Sealgate) AltKMS(options ...func(*kms.Options)) *kms.Client {
	return s.kms(s.altUser(), options)
}

// Env has the variables by which any AWS SDK or the CLI finds this Sealgate, for t.Setenv.
func (s *Sealgate) Env() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID":           s.Line.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":       s.Line.SecretAccessKey,
		"AWS_REGION":                  s.Line.Region,
		"AWS_DEFAULT_REGION":          s.Line.Region,
		"AWS_ENDPOINT_URL_S3":         s.Line.S3TLSEndpoint,
		"AWS_ENDPOINT_URL_S3_CONTROL": s.Line.S3ControlEndpoint,
		"AWS_ENDPOINT_URL_GLACIER":    s.Line.S3TLSEndpoint,
		"AWS_ENDPOINT_URL_KMS":        s.Line.KMSEndpoint,
		"AWS_ENDPOINT_URL_STS":        s.Line.KMSEndpoint,
		"AWS_ENDPOINT_URL_CLOUDTRAIL": s.Line.KMSAdminEndpoint,
		"AWS_CA_BUNDLE":               s.Line.CAFile,
		"NODE_EXTRA_CA_CERTS":         s.Line.CAFile,
		"AWS_EC2_METADATA_DISABLED":   "true",
	}
}

// EncryptionOf is how S3 reports that an object is encrypted.
func (s *Sealgate) EncryptionOf(ctx context.Context, bucket, key string) (Encryption, error) {
	head, err := s.S3().HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return Encryption{}, err
	}
	return Encryption{
		Algorithm:         string(head.ServerSideEncryption),
		KeyID:             aws.ToString(head.SSEKMSKeyId),
		CustomerAlgorithm: aws.ToString(head.SSECustomerAlgorithm),
		BucketKey:         aws.ToBool(head.BucketKeyEnabled),
	}, nil
}

// BackendLacks is an error if any object at the backend has these bytes: as they are, in hex or in base64, or in its
// metadata.
func (s *Sealgate) BackendLacks(ctx context.Context, text []byte) error {
	if s.Line.BackendAccessKeyID == "" {
		return errors.New("the backend of a container, or another one, is not reached from here")
	}
	backend := s3.New(s3.Options{
		Region: s.Line.Region, BaseEndpoint: &s.Line.BackendEndpoint, UsePathStyle: true,
		Credentials: credentials(s.Line.BackendAccessKeyID, s.Line.BackendSecretAccessKey),
	})
	listed, err := backend.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		return err
	}
	for _, bucket := range listed.Buckets {
		pages := s3.NewListObjectVersionsPaginator(backend, &s3.ListObjectVersionsInput{Bucket: bucket.Name})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, version := range page.Versions {
				object := &s3.GetObjectInput{Bucket: bucket.Name, Key: version.Key, VersionId: version.VersionId}
				if err := lacks(ctx, backend, object, text); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func lacks(ctx context.Context, backend *s3.Client, object *s3.GetObjectInput, text []byte) error {
	got, err := backend.GetObject(ctx, object)
	if err != nil {
		return err
	}
	defer func() { _ = got.Body.Close() }()
	stored, err := io.ReadAll(got.Body)
	if err != nil {
		return err
	}
	names, err := json.Marshal([]any{*object.Key, got.Metadata})
	if err != nil {
		return err
	}
	stored = append(stored, names...)
	needles := [][]byte{text, []byte(hex.EncodeToString(text))}
	// At each of the three places that base64 may have it.
	for shift := range 3 {
		shifted := append(bytes.Repeat([]byte("x"), shift), text...)
		encoded := base64.StdEncoding.EncodeToString(shifted)
		if len(encoded) > 8 {
			needles = append(needles, []byte(encoded[4:len(encoded)-4]))
		}
	}
	for _, needle := range needles {
		if bytes.Contains(stored, needle) {
			return fmt.Errorf("the backend has it in %s/%s", *object.Bucket, *object.Key)
		}
	}
	return nil
}

func (s *Sealgate) user() aws.CredentialsProvider {
	return credentials(s.Line.AccessKeyID, s.Line.SecretAccessKey)
}

func (s *Sealgate) altUser() aws.CredentialsProvider {
	return credentials(s.Line.AltAccessKeyID, s.Line.AltSecretAccessKey)
}

func credentials(id, secret string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
	})
}

func (s *Sealgate) s3(user aws.CredentialsProvider, options []func(*s3.Options)) *s3.Client {
	authorities := x509.NewCertPool()
	// A file that cannot be read leaves nobody to be trusted, which the first request reports.
	if pem, err := os.ReadFile(s.Line.CAFile); err == nil {
		authorities.AppendCertsFromPEM(pem)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}}
	return s3.New(s3.Options{
		Region: s.Line.Region, BaseEndpoint: &s.Line.S3TLSEndpoint, UsePathStyle: true, Credentials: user,
		HTTPClient: &http.Client{Transport: transport},
	}, options...)
}

func (s *Sealgate) kms(user aws.CredentialsProvider, options []func(*kms.Options)) *kms.Client {
	return kms.New(kms.Options{
		Region: s.Line.Region, BaseEndpoint: &s.Line.KMSEndpoint, Credentials: user,
		HTTPClient: &http.Client{Transport: direct},
	}, options...)
}
