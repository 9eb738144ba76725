package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"longshore/internal/fault"
)

// fault gives an error of the store its kind and says what can be done. what is a key, a prefix or the bucket.
func (b *Bucket) fault(doing, what string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s %q in bucket %q: %w", doing, what, b.name, err)
	}
	code, status := codeOf(err)
	say := func(kind fault.Kind, reason string) *fault.Error {
		f := fault.Errorf(kind, "%s %q in bucket %q: %s", doing, what, b.name, reason)
		f.Cause = err
		return f
	}
	switch code {
	case "NoSuchBucket":
		return say(fault.NotFound, "the bucket does not exist").
			WithHint("make the bucket, or correct its name, endpoint (%s) or region (%s)", b.endpoint(), b.client.Options().Region)
	case "AccessDenied", "AllAccessDisabled", "AccountProblem", "MethodNotAllowed":
		return say(fault.Denied, "access denied ("+code+")").
			WithHint("give the credential s3:PutObject, s3:GetObject, s3:ListBucket and s3:DeleteObject on bucket %q and the objects in it", b.name)
	case "InvalidAccessKeyId", "InvalidToken", "ExpiredToken", "TokenRefreshRequired":
		return say(fault.Denied, "the access key is unknown or expired ("+code+")").
			WithHint("correct the access key id; with temporary credentials get new ones")
	case "SignatureDoesNotMatch":
		return say(fault.Denied, "the signature does not match (SignatureDoesNotMatch)").
			WithHint("correct the secret key, which does not belong to this access key id")
	case "RequestTimeTooSkewed":
		return say(fault.Denied, "this machine's clock differs from the store's (RequestTimeTooSkewed)").WithHint("set the clock")
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return say(fault.Invalid, "the bucket lies in another region ("+code+")").WithHint("set the bucket's own region; it is %q now", b.client.Options().Region)
	case "InvalidBucketName":
		return say(fault.Invalid, "the bucket's name is not valid (InvalidBucketName)").
			WithHint("a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens")
	case "BucketAlreadyExists":
		return say(fault.Conflict, "the name is taken by another account (BucketAlreadyExists)").WithHint("choose another bucket name")
	case "PreconditionFailed", "ConditionalRequestConflict":
		return say(fault.Conflict, "the condition is not met ("+code+")")
	case "NoSuchKey", "NotFound":
		return say(fault.NotFound, "it does not exist")
	case "NoSpaceLeftOnDevice", "QuotaExceeded", "XMinioStorageFull", "InsufficientStorage":
		return say(fault.Unavailable, "the store has no space left ("+code+")").WithCode("disk_full", nil).
			WithHint("free some space where the store keeps its objects")
	}
	return b.faultByStatus(status, code, say, err)
}

// faultByStatus decides where the code is absent (an answer to HEAD has no body) or unknown.
func (b *Bucket) faultByStatus(status int, code string, say func(fault.Kind, string) *fault.Error, err error) error {
	switch {
	case status == 0 && code == "":
		var credential *smithy.OperationError
		reason := err.Error()
		if errors.As(err, &credential) && credential.Err != nil {
			reason = credential.Err.Error()
		}
		return say(fault.Unavailable, "no answer: "+reason).
			WithHint("see that %s can be reached from here, and that credentials are set", b.endpoint())
	case status == http.StatusNotFound:
		return say(fault.NotFound, "it does not exist")
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return say(fault.Denied, fmt.Sprintf("access denied (%d)", status)).
			WithHint("correct the keys, or give the credential the rights to put, get, list and delete in bucket %q", b.name)
	case status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect:
		return say(fault.Invalid, fmt.Sprintf("the bucket lies in another region (%d)", status)).
			WithHint("set the bucket's own region; it is %q now", b.client.Options().Region)
	case status == http.StatusPreconditionFailed || status == http.StatusConflict:
		return say(fault.Conflict, fmt.Sprintf("refused: %s (%d)", code, status))
	case status == http.StatusTooManyRequests || status >= 500:
		return say(fault.Unavailable, fmt.Sprintf("the store answers %d %s", status, code))
	case status >= 400:
		return say(fault.Invalid, fmt.Sprintf("the store answers %d: %v", status, err))
	}
	return say(fault.Internal, err.Error())
}

func codeOf(err error) (code string, status int) {
	var api smithy.APIError
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	}
	return code, status
}

// isConditionFailed reports that If-None-Match refused a put. 409 is AWS's answer to two at once.
func isConditionFailed(err error) bool {
	code, status := codeOf(err)
	return status == http.StatusPreconditionFailed || code == "PreconditionFailed" || code == "ConditionalRequestConflict"
}

func (b *Bucket) endpoint() string {
	if b.config.Endpoint != "" {
		return b.config.Endpoint
	}
	return "AWS"
}
