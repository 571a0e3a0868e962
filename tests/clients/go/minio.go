package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
	"github.com/minio/minio-go/v7/pkg/sse"
)

// minioGo is minio-go with its defaults, and with trailing checksums, which `mc` sends.
func minioGo() {
	settings := got(config.LoadDefaultConfig(background))
	key := *got(kms.NewFromConfig(settings).CreateKey(background, &kms.CreateKeyInput{})).KeyMetadata.KeyId
	endpoint := got(url.Parse(os.Getenv("AWS_ENDPOINT_URL_S3")))
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(got(os.ReadFile(os.Getenv("AWS_CA_BUNDLE"))))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	for _, trailing := range []bool{false, true} {
		client := got(minio.New(endpoint.Host, &minio.Options{Creds: credentials.NewEnvAWS(),
			Secure: endpoint.Scheme == "https", Transport: transport, TrailingHeaders: trailing}))
		bucket := map[bool]string{false: "plain", true: "trailing"}[trailing]
		must(client.MakeBucket(background, bucket, minio.MakeBucketOptions{}))
		modes := map[string]encrypt.ServerSide{"default": nil, "sse-s3": encrypt.NewSSE(),
			"sse-kms": got(encrypt.NewSSEKMS(key, map[string]string{"who": "me"}))}
		if endpoint.Scheme == "https" {
			// It refuses to send such a key in the clear.
			modes["sse-c"] = got(encrypt.NewSSEC(random(32)))
		}
		for name, mode := range modes {
			minioObjects(client, bucket, name, mode, trailing)
		}
		must(client.SetBucketEncryption(background, bucket, sse.NewConfigurationSSEKMS(key)))
		minioObjects(client, bucket, "bucket-default", nil, trailing)
		same("default encryption", minioMode(client, bucket, "bucket-default/text", nil), "aws:kms")
		minioLinks(client, &http.Client{Transport: transport}, bucket)
	}
}

func minioMode(client *minio.Client, bucket, key string, reading encrypt.ServerSide) string {
	info := got(client.StatObject(background, bucket, key, minio.GetObjectOptions{ServerSideEncryption: reading}))
	return info.Metadata.Get("X-Amz-Server-Side-Encryption")
}

// minioObjects writes, reads, lists, copies, composes and deletes in one mode.
func minioObjects(client *minio.Client, bucket, name string, mode encrypt.ServerSide, trailing bool) {
	small, large := text(), random(12_000_000)
	options := minio.PutObjectOptions{ServerSideEncryption: mode, PartSize: 5 << 20}
	if trailing {
		options.Checksum = minio.ChecksumCRC32C
	}
	reading := minio.GetObjectOptions{}
	if mode != nil && mode.Type() == encrypt.SSEC {
		reading.ServerSideEncryption = mode
	}
	got(client.PutObject(background, bucket, name+"/text", bytes.NewReader(small), int64(len(small)), options))
	// A stream of unknown length: parts whose Complete carries the headers of the encryption.
	got(client.PutObject(background, bucket, name+"/large", io.MultiReader(bytes.NewReader(large)), -1, options))
	object := got(client.GetObject(background, bucket, name+"/text", reading))
	sameBytes(name, got(io.ReadAll(object)), small)
	object = got(client.GetObject(background, bucket, name+"/large", reading))
	sameBytes(name, got(io.ReadAll(object)), large)
	some := make([]byte, 100)
	got(object.ReadAt(some, 5<<20-50))
	sameBytes(name, some, large[5<<20-50:5<<20+50])
	seen := minioMode(client, bucket, name+"/large", reading.ServerSideEncryption)
	wanted := map[string]string{"default": "AES256", "sse-s3": "AES256", "sse-c": ""}
	if known, is := wanted[name]; is {
		same(name, seen, known)
	} else {
		same(name, seen, "aws:kms")
	}

	source := minio.CopySrcOptions{Bucket: bucket, Object: name + "/large"}
	if reading.ServerSideEncryption != nil {
		source.Encryption = encrypt.SSECopy(mode)
	}
	target := minio.CopyDestOptions{Bucket: bucket, Object: name + "/composed", Encryption: mode}
	got(client.ComposeObject(background, target, source, source))
	object = got(client.GetObject(background, bucket, name+"/composed", reading))
	sameBytes(name, got(io.ReadAll(object)), append(bytes.Clone(large), large...))
	target.Object = name + "/copy"
	got(client.CopyObject(background, target, source))
	object = got(client.GetObject(background, bucket, name+"/copy", reading))
	sameBytes(name, got(io.ReadAll(object)), large)
	sizes := int64(0)
	gone := make(chan minio.ObjectInfo, 10)
	for listed := range client.ListObjects(background, bucket, minio.ListObjectsOptions{Prefix: name + "/"}) {
		must(listed.Err)
		sizes += listed.Size
		if strings.Contains(listed.Key, "/co") {
			gone <- listed
		}
	}
	close(gone)
	same(name, sizes, int64(len(small)+4*len(large)))
	for failed := range client.RemoveObjects(background, bucket, gone, minio.RemoveObjectsOptions{}) {
		must(failed.Err)
	}
	_, err := client.StatObject(background, bucket, name+"/copy", reading)
	same(name, minio.ToErrorResponse(err).Code, "NoSuchKey")
}

// minioLinks writes and reads by presigned URLs and a form.
func minioLinks(client *minio.Client, web *http.Client, bucket string) {
	body := text()
	write := got(client.PresignedPutObject(background, bucket, "linked", time.Minute))
	answer := got(web.Do(got(http.NewRequest("PUT", write.String(), bytes.NewReader(body)))))
	same("presigned PUT", answer.StatusCode, 200)
	policy := minio.NewPostPolicy()
	must(policy.SetBucket(bucket))
	must(policy.SetKey("posted"))
	must(policy.SetExpires(time.Now().Add(time.Minute)))
	form, fields, err := client.PresignedPostPolicy(background, policy)
	must(err)
	var content bytes.Buffer
	writer := multipart.NewWriter(&content)
	for name, value := range fields {
		must(writer.WriteField(name, value))
	}
	got(got(writer.CreateFormFile("file", "file")).Write(body))
	must(writer.Close())
	answer = got(web.Post(form.String(), writer.FormDataContentType(), &content))
	same("form", answer.StatusCode, 204)
	for _, key := range []string{"linked", "posted"} {
		read := got(client.PresignedGetObject(background, bucket, key, time.Minute, nil))
		answer := got(web.Get(read.String()))
		sameBytes(key, got(io.ReadAll(answer.Body)), body)
		same(key, minioMode(client, bucket, key, nil), "aws:kms")
	}
}
